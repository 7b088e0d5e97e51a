// Training on the backend EmulatedCuda: CUDA's kernels on the host, for tests.
#pragma once

#include <tenon/runtime/emulated_cuda.hpp>
#include <tenon/train/cuda_training_engine.hpp>
#include <tenon/train/cuda_training_runner.hpp>

namespace tenon {

/// `TrainingEngine<Net, EmulatedCuda<>>` computes what `TrainingEngine<Net, Cuda>` does, on the host.
template <class Net, Precision P>
struct TrainingEngineOf<Net, EmulatedCuda<P>> {
    using type = CudaTrainingEngine<Net, CudaTrainingRunner<Net, P, cuda::EmulatedDriver>>;
};

}  // namespace tenon
