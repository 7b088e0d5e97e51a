// The backend of a Model or a TrainingEngine that names none.
#pragma once

#include <tenon/runtime/cuda_engine.hpp>
#if !defined(__CUDACC__)
#include <tenon/runtime/cpu_engine.hpp>
#endif

/// Cpu, unless the build says otherwise for all files of a program: -DTENON_DEFAULT_BACKEND=Cuda. It changes no type's
/// meaning: Model<Net> then is another name of Model<Net, Cuda>.
#if !defined(TENON_DEFAULT_BACKEND)
#define TENON_DEFAULT_BACKEND Cpu
#endif

namespace tenon {

struct Cpu;  // nvcc sees no more of it: the CPU's kernels are written for the host's compilers alone

using DefaultBackend = TENON_DEFAULT_BACKEND;

}  // namespace tenon
