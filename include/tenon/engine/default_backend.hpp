#pragma once
// IWYU pragma: private, include <tenon/inference.hpp>

// The backend of a Model, a TrainingEngine or a Trainer that names none.

#include <tenon/engine/cuda.hpp>
#if !defined(__CUDACC__)
#include <tenon/engine/cpu.hpp>
#endif

namespace tenon {

struct Cpu;  // nvcc sees no more of it: only host compilers compile the CPU's kernels

namespace detail {

/// The backend of `Model<Net>` and `Trainer<Net>`. A program that wants another backend everywhere writes an alias of
/// its own, `template <class Net> using GpuModel = tenon::Model<Net, tenon::Cuda>;`: no build option changes a type.
using DefaultBackend = Cpu;

}  // namespace detail

}  // namespace tenon
