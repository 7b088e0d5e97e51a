#pragma once
// IWYU pragma: private, include <tenon/cuda.hpp>

// Which provider computes a convolution: tenon's kernels, cuBLASLt or cuDNN. A static table of estimates, until it is
// measured on devices.

#include <tenon/backend/cuda/libraries/conv_problem.hpp>
#include <tenon/backend/cuda/plan/provider_counts.hpp>

namespace tenon::cuda {

/// The providers of convolutions.
enum class Provider { own, cublaslt, cudnn };

/// The providers besides tenon's kernels that may be chosen.
struct Providers {
    bool cublaslt = false, cudnn = false;
};

/// Chooses one of the available providers.
///
/// The libraries use the instructions of the newest tensor cores, so they are chosen where arithmetic takes most of the
/// time: enough tiles for all multiprocessors, and enough products per value that is read or written. The sizes must
/// let their kernels load sixteen bytes at once. In 32 bits tenon's kernels are kept, whose results are the CPU's; so
/// they are for small batches, where tenon splits the depth and saves launches.
constexpr Provider choose_provider(const ConvProblem& problem, Providers there, int multiprocessors) {
    constexpr int tile = 128;
    if (problem.precision == Precision::float32 || problem.groups != 1) return Provider::own;
    const int unit = 16 / number_bytes(problem.precision);
    if (problem.channels % unit != 0 || problem.outputs % unit != 0) return Provider::own;
    const long tiles = blocks_of(problem.pixels(), tile) * blocks_of(problem.outputs, tile);
    if (tiles < multiprocessors) return Provider::own;
    if (problem.is_plain_product()) {
        // Below this depth both read the same bytes in the same time.
        constexpr int min_depth = 256;
        return there.cublaslt && problem.depth() >= min_depth ? Provider::cublaslt : Provider::own;
    }
    constexpr int min_depth = 512;
    return there.cudnn && problem.depth() >= min_depth ? Provider::cudnn : Provider::own;
}

}  // namespace tenon::cuda
