// The training engine of CUDA: parameters and gradients on the device, and their copies for whoever asks.
#pragma once

#include <memory>
#include <vector>

#include <tenon/core/moved_from.hpp>
#include <tenon/runtime/cuda_engine.hpp>
#include <tenon/runtime/parameters.hpp>
#include <tenon/train/cuda_training_device.hpp>
#include <tenon/train/training_options.hpp>

namespace tenon {

inline namespace TENON_ISA_NAMESPACE {

/// Training steps of one network on CUDA: the interface of all training engines (docs/training_design.md). `Runner` is
/// CudaTrainingDevice, or CudaTrainingRunner over the driver's double.
///
/// Parameters and gradients are copied from the device when they are asked for, and parameters back before the next
/// step if they were asked for by a caller who may change them: after a step ask again rather than keep a reference. An
/// engine that was moved from throws tenon::Error when it is called.
template <class Net, class Runner>
class CudaTrainingEngine {
public:
    using Scalar = float;
    static constexpr int classes = classes_of<Net>;
    static constexpr bool scales_loss = Runner::scales_loss;

    /// Room for batches of up to `largest_batch` images; threads are not used. Throws tenon::Error for less than one or
    /// a scaling that doesn't fit, and, in CUDA's words, where there is no usable device or its memory does not
    /// suffice.
    explicit CudaTrainingEngine(int largest_batch, const TrainingEngineOptions& options = {})
        : largest_batch_{checked_largest_batch(largest_batch)},
          runner_{std::make_unique<Runner>(largest_batch, checked_scaling(options.loss_scaling))} {}

    /// Weights, affine parameters and running statistics; forward_backward moves the latter.
    Parameters<Net>& parameters() {
        fetch_parameters();
        parameters_are_sent_ = false;
        return parameters_;
    }
    const Parameters<Net>& parameters() const {
        fetch_parameters();
        return parameters_;
    }
    /// Of the last batch's mean loss; zero for what is not trained.
    Parameters<Net>& gradients() {
        fetch_gradients();
        return gradients_;
    }
    const Parameters<Net>& gradients() const {
        fetch_gradients();
        return gradients_;
    }

    /// Whether a tensor has a gradient: not a running statistic, not frozen.
    static constexpr bool is_trained(int tensor) {
        const Parameter& info = lowered<Net>.parameters[tensor];
        return is_trainable(info.role) && !lowered<Net>.layers[info.layer].frozen;
    }

    /// Where the scale of the loss stands behind the last step, and whether that step's gradients overflowed: those are
    /// of no use then. It moves in every step. 1 in precisions that scale no loss.
    LossScale loss_scale() const { return device().loss_scale(); }
    void set_loss_scale(const LossScale& scale) { device().set_loss_scale(scale); }

    /// One training step but for the optimizer: the loss of a batch, its gradients, and new running statistics. Throws
    /// tenon::Error for a batch or targets that don't fit; nothing is changed then.
    LossResult forward_backward(std::span<const float> images, std::span<const int> labels, StepOptions options = {}) {
        return device().forward_backward(prepared(images, Targets<float>{labels}, {.labels = labels.data()}, options),
                                         options);
    }
    LossResult forward_backward(std::span<const float> images, std::span<const float> targets,
                                StepOptions options = {}) {
        return device().forward_backward(
            prepared(images, Targets<float>{targets}, {.targets = targets.data()}, options), options);
    }

    /// Lets the device update parameters by itself from now on, in train(). Called once.
    void prepare_updates(const UpdateRule& rule, std::span<const ParameterRun> runs, bool average) {
        device().prepare_updates(rule, runs.data(), static_cast<long>(runs.size()), average);
    }

    /// forward_backward and the update in one graph; an undefined loss, or scaled gradients that overflow, change
    /// nothing but running statistics.
    UpdateResult train(std::span<const float> images, std::span<const int> labels, StepOptions options,
                       const UpdateStep& update) {
        const TrainingBatch batch = prepared(images, Targets<float>{labels}, {.labels = labels.data()}, options);
        return device().train(batch, options, update);
    }
    UpdateResult train(std::span<const float> images, std::span<const float> targets, StepOptions options,
                       const UpdateStep& update) {
        const TrainingBatch batch = prepared(images, Targets<float>{targets}, {.targets = targets.data()}, options);
        return device().train(batch, options, update);
    }

    /// Does the last train() `times` times more, with the batch and the scalars that it left on the device, and waits
    /// once: for measurements of the device alone. Throws tenon::Error if there was none.
    UpdateResult repeat(int times) {
        begin_step();
        return device().repeat(times);
    }

    /// Copies an optimizer's slot or the average of the parameters from or to the device.
    void fetch(TrainingArena arena, std::span<float> values) const { device().get(arena, values.data()); }
    void send(TrainingArena arena, std::span<const float> values) { device().set(arena, values.data()); }

    /// Of the last batch: [batch x classes].
    std::span<const float> logits() const {
        if (!logits_are_fetched_) device().get_logits(logits_.data(), batch_);
        logits_are_fetched_ = true;
        return {logits_.data(), static_cast<std::size_t>(batch_ * classes)};
    }

    int threads() const { return 1; }
    int largest_batch() const { return largest_batch_; }
    Runner& runner() { return device(); }

private:
    Runner& device() const {
        detail::check_not_moved_from(runner_ != nullptr, "engine");
        return *runner_;
    }

    /// Checks a batch and gets ready for its step.
    TrainingBatch prepared(std::span<const float> images, const Targets<float>& targets, TrainingBatch batch,
                           StepOptions options) {
        batch.size = checked_batch<Net>(images.size(), largest_batch_);
        batch.images = images.data();
        targets.check(batch.size, classes);
        check_smoothing(options.label_smoothing);
        begin_step();
        batch_ = batch.size;
        logits_.resize(static_cast<std::size_t>(batch_ * classes));
        return batch;
    }

    /// Sends the parameters if they are not on the device; what was fetched will be out of date.
    void begin_step() {
        if (!parameters_are_sent_) device().set(TrainingArena::parameters, parameters_.values().data());
        parameters_are_sent_ = true;
        parameters_are_fetched_ = gradients_are_fetched_ = logits_are_fetched_ = false;
    }

    void fetch_parameters() const {
        if (!parameters_are_fetched_) device().get(TrainingArena::parameters, parameters_.values().data());
        parameters_are_fetched_ = true;
    }
    void fetch_gradients() const {
        if (!gradients_are_fetched_) device().get(TrainingArena::gradients, gradients_.values().data());
        gradients_are_fetched_ = true;
    }

    int largest_batch_;
    long batch_ = 0;
    std::unique_ptr<Runner> runner_;
    mutable Parameters<Net> parameters_, gradients_;
    mutable std::vector<float> logits_;
    bool parameters_are_sent_ = false;
    mutable bool parameters_are_fetched_ = true, gradients_are_fetched_ = true, logits_are_fetched_ = true;
};

}  // namespace TENON_ISA_NAMESPACE

template <class Net>
struct TrainingEngineOf<Net, Cuda> {
    using type = CudaTrainingEngine<Net, CudaTrainingDevice<Net, Precision::float32>>;
};
template <class Net, Precision P>
struct TrainingEngineOf<Net, CudaWith<P>> {
    using type = CudaTrainingEngine<Net, CudaTrainingDevice<Net, P>>;
};

}  // namespace tenon
