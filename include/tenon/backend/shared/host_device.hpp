#pragma once
// IWYU pragma: private, include <tenon/inference.hpp>

// A function that runs on the host and, compiled by nvcc, on the device too.

#if defined(__CUDACC__)
#define TENON_HOST_DEVICE __host__ __device__ __forceinline__
#else
#define TENON_HOST_DEVICE inline
#endif
