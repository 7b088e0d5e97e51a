#pragma once
// IWYU pragma: private, include <tenon/cuda.hpp>

// ParameterUpdate: the optimizer's part of a training iteration on the device.

#include <cmath>
#include <compare>
#include <vector>

#include <tenon/backend/cuda/driver/device_memory.hpp>
#include <tenon/backend/cuda/training/step.hpp>
#include <tenon/backend/cuda/training/update.hpp>
#include <tenon/engine/cuda_training_device.hpp>

namespace tenon::cuda {
inline namespace TENON_ISA_NAMESPACE {

/// What an iteration does besides forward and backward.
struct UpdateParts {
    bool update = false, clip = false, average = false;
    friend auto operator<=>(const UpdateParts&, const UpdateParts&) = default;
};

/// An optimizer's rule, its slots and the average of `count` parameters, and the launches that change them.
template <class Driver>
class ParameterUpdate {
public:
    explicit ParameterUpdate(long count) : count_{count} {}

    /// Takes a rule and the runs of parameters that it changes; allocates the slots, which are zero, and, if wanted,
    /// the average, which is undefined until it is set. Call it once.
    void prepare(cuda::DeviceMemory<Driver>& memory, const UpdateRule& rule, const ParameterRun* runs, long count,
                 bool average) {
        rule_ = rule;
        std::vector<cuda::UpdateRun> table;
        for (long i = 0; i < count; ++i) table.push_back({runs[i].begin, runs[i].end, runs[i].decays ? 1 : 0});
        run_count_ = static_cast<int>(count);
        runs_ = memory.template allocate<cuda::UpdateRun>(count);
        squares_ = memory.template allocate<double>(count);
        control_ = memory.template allocate<cuda::UpdateControl>(1);
        host_control_ = memory.template allocate_host<cuda::UpdateControl>(1);
        memory.upload(runs_, table.data(), count);
        for (int i = 0; i < rule.slots(); ++i) slots_[i] = memory.allocate_zeros(count_);
        if (average) average_ = memory.template allocate<float>(count_);
    }

    /// Adds what the launches read to the scalars of an iteration.
    void set_scalars(cuda::StepScalars& scalars, const UpdateStep& step) const {
        scalars.clip_norm = step.clip_norm;
        scalars.rate = static_cast<float>(step.learning_rate);
        if (rule_.kind == UpdateRule::Kind::adamw) {
            const auto number = static_cast<double>(step.number);
            scalars.size = static_cast<float>(step.learning_rate / (1 - std::pow(rule_.beta1, number)));
            scalars.root = static_cast<float>(1 / std::sqrt(1 - std::pow(rule_.beta2, number)));
            scalars.kept = static_cast<float>(1 - step.learning_rate * rule_.weight_decay);
        }
        scalars.average_kept = static_cast<float>(step.average_decay);
        scalars.average_taken = static_cast<float>(1 - step.average_decay);
    }

    /// Launches the update after the gradients of an iteration; `losses` are those of its images.
    void launch(const cuda::TrainingFrame<Driver>& frame, const cuda::ImageLoss* losses, UpdateParts parts) const {
        Driver& driver = *frame.frame.driver;
        const bool clip = parts.clip && run_count_ > 0;  // a frozen network changes nothing
        const cuda::SquaresArguments squares{frame.gradients, runs_, squares_, run_count_};
        if (clip) driver.template launch<cuda::SquaresKernel>(cuda::SquaresKernel::grid(squares), squares);
        const cuda::ControlArguments control{.losses = losses,
                                             .images = frame.frame.images,
                                             .squares = clip ? squares_ : nullptr,
                                             .runs = run_count_,
                                             .scalars = frame.scalars,
                                             .scale = frame.scale,
                                             .control = control_};
        driver.template launch<cuda::ControlKernel>(cuda::ControlKernel::grid(control), control);
        cuda::UpdateArguments update{};
        update.parameters = frame.parameters;
        update.gradients = frame.gradients;
        update.slots[0] = slots_[0];
        update.slots[1] = slots_[1];
        update.runs = runs_;
        update.count = run_count_;
        update.scalars = frame.scalars;
        update.control = control_;
        update.kind = rule_.kind;
        update.nesterov = rule_.nesterov;
        update.keras = rule_.keras;
        update.decoupled = rule_.decoupled;
        update.weight_decay = static_cast<float>(rule_.weight_decay);
        update.momentum = static_cast<float>(rule_.momentum);
        update.beta1 = static_cast<float>(rule_.beta1);
        update.rest1 = static_cast<float>(1 - rule_.beta1);
        update.beta2 = static_cast<float>(rule_.beta2);
        update.rest2 = static_cast<float>(1 - rule_.beta2);
        update.epsilon = static_cast<float>(rule_.epsilon);
        if (run_count_ > 0) driver.template launch<cuda::UpdateKernel>(cuda::UpdateKernel::grid(update), update);
        if (parts.average)
            cuda::launch_map(driver, cuda::AverageBody{count_, frame.parameters, average_, frame.scalars, control_});
    }

    /// Starts copying to the host what gradient_norm() returns.
    void download(Driver& driver) const {
        driver.download(host_control_, control_, sizeof(cuda::UpdateControl), cuda::Stream::compute);
    }
    /// The norm of the last iteration's gradients before they were clipped; 0 where they are not clipped.
    double gradient_norm() const { return host_control_->gradient_norm; }

    float* slot(int index) const { return slots_[index]; }
    float* average() const { return average_; }

private:
    long count_;
    UpdateRule rule_{};
    cuda::UpdateRun* runs_ = nullptr;
    int run_count_ = 0;
    double* squares_ = nullptr;
    cuda::UpdateControl *control_ = nullptr, *host_control_ = nullptr;
    float *slots_[2]{}, *average_ = nullptr;
};

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::cuda
