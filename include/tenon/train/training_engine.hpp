// TrainingEngine: the training steps of a network on a backend; what trainers and optimizers are built on.
#pragma once

#include <tenon/runtime/default_backend.hpp>
#include <tenon/train/cuda_training_engine.hpp>
#if !defined(__CUDACC__)
#include <tenon/train/cpu_training_engine.hpp>
#endif

namespace tenon {

/// The training engine of a network: forward, loss and gradients of a batch, without an optimizer
/// (docs/training_design.md has its interface). `TrainingEngine<Net> engine{128};`
template <class Net, class Backend = DefaultBackend>
using TrainingEngine = typename TrainingEngineOf<Net, Backend>::type;

}  // namespace tenon
