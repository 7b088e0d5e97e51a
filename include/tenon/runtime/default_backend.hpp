// The backend of a Model or a TrainingEngine that names none.
#pragma once

#include <tenon/runtime/cpu_engine.hpp>
#include <tenon/runtime/cuda_engine.hpp>

/// Cpu, unless the build says otherwise for all files of a program: -DTENON_DEFAULT_BACKEND=Cuda. It changes no type's
/// meaning: Model<Net> then is another name of Model<Net, Cuda>.
#if !defined(TENON_DEFAULT_BACKEND)
#define TENON_DEFAULT_BACKEND Cpu
#endif

namespace tenon {

using DefaultBackend = TENON_DEFAULT_BACKEND;

}  // namespace tenon
