#pragma once
// IWYU pragma: private, include <tenon/cuda.hpp>

// What nvcc compiles of the engines of the backend CUDA: the functions that engine/cuda.hpp and
// engine/cuda_training_device.hpp declare.

#if defined(__CUDACC__)

#include <tenon/backend/cuda/libraries/device_libraries.hpp>
#include <tenon/engine/cuda.hpp>
#include <tenon/engine/cuda_runner.hpp>
#include <tenon/engine/cuda_training_runner.hpp>

namespace tenon::cuda {

template <class Net, Precision P>
struct Engine<Net, P>::State {
    NetworkRunner<Net, P, LibraryDriver> runner;
};

template <class Net, Precision P>
Engine<Net, P>::Engine(int threads, int images, int device)
    : state_{new State{NetworkRunner<Net, P, LibraryDriver>{images, ChosenDevice{device}}}} {
    state_->runner.copy_on(threads);
}

template <class Net, Precision P>
void Engine<Net, P>::DeleteState::operator()(State* state) const {
    delete state;
}

template <class Net, Precision P>
void Engine<Net, P>::set_parameters(std::span<const float* const> tensors) {
    state().runner.set_parameters(tensors);
}

template <class Net, Precision P>
void Engine<Net, P>::run(const float* images, float* results, long count) {
    state().runner.run(images, results, count);
}

template <class Net, Precision P>
void Engine<Net, P>::run_bytes(const std::uint8_t* images, const float* scale, float* results, long count) {
    state().runner.run_bytes(images, scale, results, count);
}

template <class Net, Precision P>
void Engine<Net, P>::run_steps(const float* images, float* results, long count, void (*observe)(int, void*),
                               void* observer) {
    state().runner.run_observed(images, results, count, [&](int step) { observe(step, observer); });
}

template <class Net, Precision P>
ProviderCounts Engine<Net, P>::providers() const {
    return state().runner.driver().counts();
}

template <class Net, Precision P>
void Engine<Net, P>::repeat(int size, int times) {
    state().runner.repeat(size, times);
}

template <class Net, Precision P>
struct TrainingDevice<Net, P>::State {
    TrainingRunner<Net, P, LibraryDriver> runner;
};

template <class Net, Precision P>
TrainingDevice<Net, P>::TrainingDevice(int max_batch, const LossScaling& scaling, ChosenDevice device)
    : state_{new State{TrainingRunner<Net, P, LibraryDriver>{max_batch, scaling, device}}} {}

template <class Net, Precision P>
void TrainingDevice<Net, P>::DeleteState::operator()(State* state) const {
    delete state;
}

template <class Net, Precision P>
void TrainingDevice<Net, P>::copy_on(int threads) {
    state_->runner.copy_on(threads);
}

template <class Net, Precision P>
void TrainingDevice<Net, P>::set(TrainingArena arena, const float* values) {
    state_->runner.set(arena, values);
}

template <class Net, Precision P>
void TrainingDevice<Net, P>::get(TrainingArena arena, float* values) {
    state_->runner.get(arena, values);
}

template <class Net, Precision P>
void TrainingDevice<Net, P>::get_logits(float* values, long images) {
    state_->runner.get_logits(values, images);
}

template <class Net, Precision P>
LossScale TrainingDevice<Net, P>::loss_scale() const {
    return state_->runner.loss_scale();
}

template <class Net, Precision P>
void TrainingDevice<Net, P>::set_loss_scale(const LossScale& scale) {
    state_->runner.set_loss_scale(scale);
}

template <class Net, Precision P>
LossResult TrainingDevice<Net, P>::forward_backward(const TrainingBatch& batch, StepOptions options) {
    return state_->runner.forward_backward(batch, options);
}

template <class Net, Precision P>
void TrainingDevice<Net, P>::prepare_updates(const UpdateRule& rule, const ParameterRun* runs, long count,
                                             bool average) {
    state_->runner.prepare_updates(rule, runs, count, average);
}

template <class Net, Precision P>
UpdateResult TrainingDevice<Net, P>::train(const TrainingBatch& batch, StepOptions options, const UpdateStep& update) {
    return state_->runner.train(batch, options, update);
}

template <class Net, Precision P>
UpdateResult TrainingDevice<Net, P>::repeat(int times) {
    return state_->runner.repeat(times);
}

}  // namespace tenon::cuda

#endif
