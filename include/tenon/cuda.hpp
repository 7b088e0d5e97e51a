// The backend CUDA as nvcc compiles it: include it in the .cu file that uses or instantiates a Model<Net, Cuda>.
//
//     #include <tenon/cuda.hpp>
//     #include "my_network.hpp"
//     template class tenon::CudaEngine<MyNetwork, tenon::Precision::float32>;
//
// A .cu file sees all of the library but the CPU's kernels, so <tenon/tenon.hpp> is not for it. Other compilers see
// nothing here; they include <tenon/runtime/cuda_engine.hpp>.
#pragma once

#if defined(__CUDACC__)

#include <tenon/backend/cuda/device_libraries.hpp>
#include <tenon/runtime/cuda_engine.hpp>
#include <tenon/runtime/cuda_runner.hpp>

namespace tenon {

template <class Net, Precision P>
struct CudaEngine<Net, P>::State {
    CudaRunner<Net, P, cuda::LibraryDriver> runner;
};

template <class Net, Precision P>
CudaEngine<Net, P>::CudaEngine(int, int images) : state_{new State{CudaRunner<Net, P, cuda::LibraryDriver>{images}}} {}

template <class Net, Precision P>
CudaEngine<Net, P>::~CudaEngine() {
    delete state_;
}

template <class Net, Precision P>
void CudaEngine<Net, P>::set_parameters(std::span<const float* const> tensors) {
    state().runner.set_parameters(tensors);
}

template <class Net, Precision P>
void CudaEngine<Net, P>::run(const float* images, float* results, long count) {
    state().runner.run(images, results, count);
}

template <class Net, Precision P>
void CudaEngine<Net, P>::run_steps(const float* images, float* results, long count, void (*observe)(int, void*),
                                   void* observer) {
    state().runner.run_observed(images, results, count, [&](int step) { observe(step, observer); });
}

template <class Net, Precision P>
void CudaEngine<Net, P>::repeat(int size, int times) {
    state().runner.repeat(size, times);
}

}  // namespace tenon

#endif
