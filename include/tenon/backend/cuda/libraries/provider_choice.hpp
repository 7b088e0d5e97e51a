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
/// they are for small batches, where tenon splits the depth and saves launches. Gradients of weights have 32 bits,
/// whichever of them computes them.
constexpr Provider choose_provider(const ConvProblem& problem, Providers there, int multiprocessors) {
    constexpr int tile = 128;
    if (problem.precision == Precision::float32 || problem.groups != 1) return Provider::own;
    const int unit = 16 / number_bytes(problem.precision);
    if (problem.channels % unit != 0 || problem.outputs % unit != 0) return Provider::own;
    const long tiles = blocks_of(problem.pixels(), tile) * blocks_of(problem.outputs, tile);
    if (tiles < multiprocessors) return Provider::own;
    if (problem.direction == ConvDirection::weight_gradient) {
        // With fewer products per value that is read, tenon's kernel waits for memory too: of an H100, 3.0 TB/s and the
        // 250 TFLOP/s of its tensor cores that are expected make 83 of 16 bits.
        constexpr long min_products = 96;
        const long products = long{problem.outputs} * problem.depth();
        if (products < min_products * (problem.channels + problem.outputs)) return Provider::own;
        if (problem.is_plain_product()) return there.cublaslt ? Provider::cublaslt : Provider::own;
        // cuDNN gives gradients of 16 bits where the maps have 16 bits.
        return there.cudnn && problem.precision == Precision::tensor_float32 ? Provider::cudnn : Provider::own;
    }
    if (problem.is_plain_product()) {
        // Below this depth both read the same bytes in the same time.
        constexpr int min_depth = 256;
        return there.cublaslt && problem.depth() >= min_depth ? Provider::cublaslt : Provider::own;
    }
    // cuDNN's graphs promise nothing for two tensors at one address; cuBLASLt allows it.
    if (problem.in_place) return Provider::own;
    constexpr int min_depth = 512;
    return there.cudnn && problem.depth() >= min_depth ? Provider::cudnn : Provider::own;
}

}  // namespace tenon::cuda
