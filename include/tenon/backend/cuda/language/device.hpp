#pragma once
// IWYU pragma: private, include <tenon/inference.hpp>

// How one source serves two compilers: kernels are device functions for nvcc and plain functions for g++.

#include <tenon/backend/shared/host_device.hpp>

#if defined(__CUDACC__)
#define TENON_DEVICE __device__ __forceinline__
#else
#define TENON_DEVICE inline
#endif

// Loops over registers must be unrolled, or the registers become memory (test: cuda.compile).
#if defined(__CUDA_ARCH__)
#define TENON_CUDA_UNROLL _Pragma("unroll")
#else
#define TENON_CUDA_UNROLL
#endif

namespace tenon::cuda {

/// Three sizes or indices of a grid of blocks.
struct Grid {
    int x = 1, y = 1, z = 1;
    friend constexpr bool operator==(const Grid&, const Grid&) = default;
};

/// The number of blocks of `size` that cover `count`: count / size rounded up.
constexpr long blocks_of(long count, long size) { return (count + size - 1) / size; }

}  // namespace tenon::cuda
