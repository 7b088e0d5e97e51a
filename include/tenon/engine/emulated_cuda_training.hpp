#pragma once
// IWYU pragma: private, include <tenon/cuda.hpp>

// Training on the backend EmulatedCuda: CUDA's kernels on the host, for tests.

#include <tenon/engine/cuda_training.hpp>
#include <tenon/engine/cuda_training_runner.hpp>
#include <tenon/engine/emulated_cuda.hpp>

namespace tenon {

/// `TrainingEngine<Net, EmulatedCuda<>>` computes what `TrainingEngine<Net, Cuda>` does, on the host.
template <class Net, Precision P>
struct detail::TrainingEngineOf<Net, EmulatedCuda<P>> {
    using type = cuda::TrainingEngine<Net, cuda::TrainingRunner<Net, P, cuda::EmulatedDriver>>;
};

}  // namespace tenon
