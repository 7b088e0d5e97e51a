#pragma once
// IWYU pragma: private, include <tenon/training.hpp>

// The training engine of CUDA: parameters and gradients on the device, copied to the host on request.

#include <memory>
#include <vector>

#include <tenon/core/index.hpp>
#include <tenon/core/moved_from.hpp>
#include <tenon/engine/cuda.hpp>
#include <tenon/engine/cuda_training_device.hpp>
#include <tenon/engine/training_options.hpp>
#include <tenon/weights/parameters.hpp>

namespace tenon::cuda {

inline namespace TENON_ISA_NAMESPACE {

/// Computes losses and gradients of one network on CUDA: the interface of all training engines
/// (docs/design/training.md). `Runner` is TrainingDevice, or TrainingRunner over the emulated driver.
///
/// Parameters and gradients are copied from the device when they are asked for. Parameters are copied back before the
/// next iteration if a caller who may change them has asked for them, so ask again after an iteration instead of
/// keeping a reference. Throws tenon::Error when an engine that was moved from is called.
template <class Net, class Runner>
class TrainingEngine {
public:
    static_assert(KernelCheck<Net>::done);
    using Scalar = float;
    static constexpr int classes = classes_of<Net>;
    static constexpr bool scales_loss = Runner::scales_loss;

    /// Room for batches of up to `max_batch` images, which up to four threads copy to pinned memory. Throws
    /// tenon::Error for less than one image, an invalid scaling or a device that is not there, and, quoting CUDA, where
    /// there is no usable device or its memory is too small.
    explicit TrainingEngine(int max_batch, const TrainingEngineOptions& options = {})
        : max_batch_{checked_max_batch(max_batch)},
          runner_{std::make_unique<Runner>(max_batch, checked_scaling(options.loss_scaling),
                                           ChosenDevice{options.device})} {
        runner_->copy_on(options.threads);
    }

    /// Weights, affine parameters and running statistics; forward_backward updates the latter.
    Parameters<Net>& parameters() {
        fetch_parameters();
        parameters_are_sent_ = false;
        return parameters_;
    }
    const Parameters<Net>& parameters() const {
        fetch_parameters();
        return parameters_;
    }
    /// The gradients of the last batch's mean loss; zero for what is not trained.
    Parameters<Net>& gradients() {
        fetch_gradients();
        return gradients_;
    }
    const Parameters<Net>& gradients() const {
        fetch_gradients();
        return gradients_;
    }

    /// Whether a tensor has a gradient: not a running statistic, not frozen.
    static constexpr bool is_trained(int tensor) { return lowered<Net>.is_trained(tensor); }

    /// The scale of the loss after the last iteration, and whether that iteration's gradients overflowed, which makes
    /// them useless. It may change in every iteration; 1 in precisions that scale no loss.
    LossScale loss_scale() const { return device().loss_scale(); }
    void set_loss_scale(const LossScale& scale) { device().set_loss_scale(scale); }

    /// A training iteration without the optimizer: the loss of a batch, its gradients, and new running statistics.
    /// Throws tenon::Error for a batch or targets that don't fit; then nothing is changed.
    LossResult forward_backward(std::span<const float> images, std::span<const int> labels, StepOptions options = {}) {
        return device().forward_backward(prepared(images, Targets<float>{labels}, {.labels = labels.data()}, options),
                                         options);
    }
    LossResult forward_backward(std::span<const float> images, std::span<const float> targets,
                                StepOptions options = {}) {
        return device().forward_backward(
            prepared(images, Targets<float>{targets}, {.targets = targets.data()}, options), options);
    }

    /// From now on, train() updates the parameters on the device. Call it once.
    void prepare_updates(const UpdateRule& rule, std::span<const ParameterRun> runs, bool average) {
        device().prepare_updates(rule, runs.data(), std::ssize(runs), average);
    }

    /// forward_backward and the update in one graph. An undefined loss, or scaled gradients that overflow, change only
    /// the running statistics.
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

    /// Repeats the last train() `times` times, with the batch and the scalars that it left on the device, and waits
    /// once: this measures the device alone. Throws tenon::Error when there was none.
    UpdateResult repeat(int times) {
        begin_step();
        return device().repeat(times);
    }

    /// Copies an optimizer's slot or the average of the parameters from or to the device.
    void fetch(TrainingArena arena, std::span<float> values) const { device().get(arena, values.data()); }
    void send(TrainingArena arena, std::span<const float> values) { device().set(arena, values.data()); }

    /// The logits of the last batch: [batch x classes].
    std::span<const float> logits() const {
        if (!logits_are_fetched_) device().get_logits(logits_.data(), batch_);
        logits_are_fetched_ = true;
        return {logits_.data(), index(batch_ * classes)};
    }

    int threads() const { return 1; }
    int max_batch() const { return max_batch_; }
    Runner& runner() { return device(); }

private:
    Runner& device() const {
        check_not_moved_from(runner_ != nullptr, "engine");
        return *runner_;
    }

    /// Checks a batch and prepares the device for it.
    TrainingBatch prepared(std::span<const float> images, const Targets<float>& targets, TrainingBatch batch,
                           StepOptions options) {
        batch.size = checked_batch<Net>(images.size(), max_batch_);
        batch.images = images.data();
        targets.check(batch.size, classes);
        check_smoothing(options.label_smoothing);
        begin_step();
        batch_ = batch.size;
        logits_.resize(index(batch_ * classes));
        return batch;
    }

    /// Sends the parameters if they are not on the device; copies on the host become out of date.
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

    int max_batch_;
    long batch_ = 0;
    std::unique_ptr<Runner> runner_;
    mutable Parameters<Net> parameters_, gradients_;
    mutable std::vector<float> logits_;
    bool parameters_are_sent_ = false;
    mutable bool parameters_are_fetched_ = true, gradients_are_fetched_ = true, logits_are_fetched_ = true;
};

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::cuda

namespace tenon {

template <class Net>
struct detail::TrainingEngineOf<Net, Cuda> {
    using type = cuda::TrainingEngine<Net, cuda::TrainingDevice<Net, Precision::float32>>;
};
template <class Net, Precision P>
struct detail::TrainingEngineOf<Net, CudaWith<P>> {
    using type = cuda::TrainingEngine<Net, cuda::TrainingDevice<Net, P>>;
};

}  // namespace tenon
