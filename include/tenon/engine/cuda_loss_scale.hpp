#pragma once
// IWYU pragma: private, include <tenon/cuda.hpp>

// DeviceLossScale: the scale of a loss on the device, and the launches that divide gradients by it and change it.

#include <tenon/backend/cuda/driver/device_memory.hpp>
#include <tenon/backend/cuda/training/loss_scaling.hpp>
#include <tenon/backend/cuda/training/step.hpp>

namespace tenon::cuda {
inline namespace TENON_ISA_NAMESPACE {

/// The scale of a training's loss, in the device's memory, which recorded graphs read and write. Without prepare()
/// there is none, as in precisions whose gradients need none.
template <class Driver>
class DeviceLossScale {
public:
    /// Allocates the scale, which begins as `scaling` says, for `count` gradients. Call it once, before any step.
    void prepare(cuda::DeviceMemory<Driver>& memory, const LossScaling& scaling, long count) {
        scaling_ = scaling;
        count_ = count;
        scale_ = memory.template allocate<LossScale>(1);
        host_scale_ = memory.template allocate_host<LossScale>(1);
        overflows_ = memory.template allocate<int>(cuda::UnscaleKernel::grid(count).x);
        set(memory, first_loss_scale(scaling));
    }

    /// The address on the device from which the loss reads its scale; null where there is none.
    const LossScale* address() const { return scale_; }

    /// Launches the work on the scale after the gradients of an iteration; `losses` are those of its images.
    void launch(const cuda::TrainingFrame<Driver>& frame, const cuda::ImageLoss* losses) const {
        Driver& driver = *frame.frame.driver;
        const cuda::Grid grid = cuda::UnscaleKernel::grid(count_);
        driver.template launch<cuda::UnscaleKernel>(grid, {frame.gradients, count_, scale_, overflows_});
        const cuda::MoveScaleArguments move{.losses = losses,
                                            .images = frame.frame.images,
                                            .overflows = overflows_,
                                            .blocks = grid.x,
                                            .scale = scale_,
                                            .growth = static_cast<float>(scaling_.growth),
                                            .backoff = static_cast<float>(scaling_.backoff),
                                            .interval = scaling_.interval};
        driver.template launch<cuda::MoveScaleKernel>(cuda::MoveScaleKernel::grid(move), move);
    }

    /// Starts copying to the host what value() returns.
    void download(Driver& driver) const {
        driver.download(host_scale_, scale_, sizeof(LossScale), cuda::Stream::compute);
    }
    /// The scale after the last iteration.
    LossScale value() const { return host_scale_ ? *host_scale_ : LossScale{}; }
    /// Sets the scale.
    void set(cuda::DeviceMemory<Driver>& memory, const LossScale& scale) {
        *host_scale_ = scale;
        memory.upload(scale_, host_scale_, 1);
    }

private:
    LossScaling scaling_{};
    long count_ = 0;
    LossScale *scale_ = nullptr, *host_scale_ = nullptr;
    int* overflows_ = nullptr;
};

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::cuda
