#pragma once
// IWYU pragma: private, include <tenon/training.hpp>

// TrainingEngine: computes losses and gradients of a network on a backend; trainers are built on it.

#include <tenon/engine/cpu_bfloat16_training.hpp>
#include <tenon/engine/cuda_training.hpp>
#include <tenon/engine/default_backend.hpp>
#if !defined(__CUDACC__)
#include <tenon/engine/synchronized_norms.hpp>
#endif

namespace tenon {

/// The training engine of a network: forward, loss and gradients of a batch, without an optimizer. Its interface is in
/// docs/design/training.md. `TrainingEngine<Net> engine{128};` has room for batches of 128 images.
template <class Net, class Backend = detail::DefaultBackend>
using TrainingEngine = typename detail::TrainingEngineOf<Net, Backend>::type;

}  // namespace tenon
