#pragma once
// IWYU pragma: private, include <tenon/training.hpp>

// Convolutions and linear layers of a training iteration, forward and with respect to their sources: weights are packed
// anew, then the kernels of inference run.

#include <tenon/backend/cpu/training/pack.hpp>
#include <tenon/backend/cpu/winograd/step.hpp>

namespace tenon::cpu {
inline namespace TENON_ISA_NAMESPACE {

/// A convolution with the current weights.
template <ConvSpec S>
void run_training_conv(const TrainingStep& training, const TrainingFrame& frame) {
    pack_training_conv(training, frame, training.kind == TrainingKind::data_gradient);
    run_conv<S>(training.step, frame.frame);
}

/// A convolution by Winograd with the current weights.
template <WinogradSpec S>
void run_training_winograd(const TrainingStep& training, const TrainingFrame& frame) {
    pack_training_winograd<S.m>(training, frame, training.kind == TrainingKind::data_gradient);
    run_winograd<S>(training.step, frame.frame);
}

/// Adds a tensor to another one of the same shape.
inline void add_to(const Tensor& target, const Tensor& addend, const TrainingFrame& frame) {
    frame.team().for_each(frame.frame.images * target.planes(), [&](int k) {
        for (int y = 0; y < target.height; ++y) {
            float* to = frame.at(target, k / target.planes(), k % target.planes(), y, 0);
            const float* from = frame.at(addend, k / target.planes(), k % target.planes(), y, 0);
            for (int i = 0; i < target.width * channel_block; i += vector_width)
                store(to + i, add(load(to + i), load(from + i)));
        }
    });
}

/// A linear layer with the current weights, or its data gradient.
template <int Rest>
void run_training_linear(const TrainingStep& training, const TrainingFrame& frame) {
    if (training.kind != TrainingKind::data_gradient) {
        pack_training_linear(training, frame, training.source(), false);
        return run_linear<Rest>(training.step, frame.frame);
    }
    // The step's target is the storage of `result`, the features, as one flat vector.
    pack_training_linear(training, frame, training.result, true);
    run_linear<Rest>(training.step, frame.frame);
    if (training.sum.exists()) add_to(training.result, training.sum, frame);
}

/// An inference step that needs no weights.
template <void (*Run)(const Step&, const Frame&)>
void run_inference_step(const TrainingStep& training, const TrainingFrame& frame) {
    Run(training.step, frame.frame);
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::cpu
