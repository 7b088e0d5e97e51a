// Training on the backend CUDA as nvcc compiles it: include it in the .cu file that instantiates a Trainer's device
// part.
//
//     #include <tenon/cuda_training.hpp>
//     #include "my_network.hpp"
//     template class tenon::CudaTrainingDevice<MyNetwork, tenon::Precision::float32>;
//     template class tenon::CudaEngine<MyNetwork, tenon::Precision::float32>;  // what evaluates
//
// Other compilers see nothing here; they include <tenon/train/trainer.hpp>.
#pragma once

#if defined(__CUDACC__)

#include <tenon/cuda.hpp>
#include <tenon/train/cuda_training_runner.hpp>

namespace tenon {

template <class Net, Precision P>
struct CudaTrainingDevice<Net, P>::State {
    CudaTrainingRunner<Net, P, cuda::DeviceDriver> runner;
};

template <class Net, Precision P>
CudaTrainingDevice<Net, P>::CudaTrainingDevice(int largest_batch, const LossScaling& scaling)
    : state_{new State{CudaTrainingRunner<Net, P, cuda::DeviceDriver>{largest_batch, scaling}}} {}

template <class Net, Precision P>
CudaTrainingDevice<Net, P>::~CudaTrainingDevice() {
    delete state_;
}

template <class Net, Precision P>
void CudaTrainingDevice<Net, P>::set(TrainingArena arena, const float* values) {
    state_->runner.set(arena, values);
}

template <class Net, Precision P>
void CudaTrainingDevice<Net, P>::get(TrainingArena arena, float* values) {
    state_->runner.get(arena, values);
}

template <class Net, Precision P>
void CudaTrainingDevice<Net, P>::get_logits(float* values, long images) {
    state_->runner.get_logits(values, images);
}

template <class Net, Precision P>
LossScale CudaTrainingDevice<Net, P>::loss_scale() const {
    return state_->runner.loss_scale();
}

template <class Net, Precision P>
void CudaTrainingDevice<Net, P>::set_loss_scale(const LossScale& scale) {
    state_->runner.set_loss_scale(scale);
}

template <class Net, Precision P>
LossResult CudaTrainingDevice<Net, P>::forward_backward(const TrainingBatch& batch, StepOptions options) {
    return state_->runner.forward_backward(batch, options);
}

template <class Net, Precision P>
void CudaTrainingDevice<Net, P>::prepare_updates(const UpdateRule& rule, const ParameterRun* runs, long count,
                                                 bool average) {
    state_->runner.prepare_updates(rule, runs, count, average);
}

template <class Net, Precision P>
UpdateResult CudaTrainingDevice<Net, P>::train(const TrainingBatch& batch, StepOptions options,
                                               const UpdateStep& update) {
    return state_->runner.train(batch, options, update);
}

template <class Net, Precision P>
UpdateResult CudaTrainingDevice<Net, P>::repeat(int times) {
    return state_->runner.repeat(times);
}

}  // namespace tenon

#endif
