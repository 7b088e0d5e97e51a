// Who computes a convolution: tenon's kernels, cuBLASLt or cuDNN. A static table, estimated until devices have
// measured.
#pragma once

#include <tenon/backend/cuda/conv_problem.hpp>

namespace tenon::cuda {

/// Who computes a convolution.
enum class Provider { own, cublaslt, cudnn };

/// The providers beside tenon's kernels that may be chosen: what the build has and finds.
struct Providers {
    bool cublaslt = false, cudnn = false;
};

/// Chooses among the providers there are.
///
/// The libraries have the instructions of the newest tensor cores, so they are chosen where the arithmetic takes the
/// time: enough tiles for all multiprocessors, and enough products per value that is read or written. They need sizes
/// that their kernels load sixteen bytes at once of. In 32 bits tenon's kernels stay, whose answers are the CPU's; and
/// for small batches, where tenon splits the depth and saves launches.
constexpr Provider choose_provider(const ConvProblem& problem, Providers there, int multiprocessors) {
    constexpr int tile = 128;
    if (problem.precision == Precision::float32 || problem.groups != 1) return Provider::own;
    const int unit = 16 / number_bytes(problem.precision);
    if (problem.channels % unit != 0 || problem.outputs % unit != 0) return Provider::own;
    const long tiles = blocks_of(problem.pixels(), tile) * blocks_of(problem.outputs, tile);
    if (tiles < multiprocessors) return Provider::own;
    if (problem.is_plain_product()) {
        // Below this both read the same bytes in the same time.
        constexpr int least_depth = 256;
        return there.cublaslt && problem.depth() >= least_depth ? Provider::cublaslt : Provider::own;
    }
    constexpr int least_depth = 512;
    return there.cudnn && problem.depth() >= least_depth ? Provider::cudnn : Provider::own;
}

}  // namespace tenon::cuda
