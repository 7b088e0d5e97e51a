// CudaLossScale: the scale of a loss on the device, and the launches that divide gradients by it and move it.
#pragma once

#include <tenon/backend/cuda/device_memory.hpp>
#include <tenon/backend/cuda/loss_scaling.hpp>
#include <tenon/backend/cuda/training_step.hpp>

namespace tenon {
inline namespace TENON_ISA_NAMESPACE {

/// The scale of a training's loss, in memory of the device, which recorded graphs read and write. Without prepare()
/// there is none, as in precisions whose gradients need none.
template <class Driver>
class CudaLossScale {
public:
    /// Allocates the scale, which begins where `scaling` says, for `count` gradients. Called once, before any step.
    void prepare(cuda::DeviceMemory<Driver>& memory, const LossScaling& scaling, long count) {
        scaling_ = scaling;
        count_ = count;
        scale_ = memory.template allocate<LossScale>(1);
        host_scale_ = memory.template allocate_host<LossScale>(1);
        overflows_ = memory.template allocate<int>(cuda::UnscaleKernel::grid(count).x);
        set(memory, first_loss_scale(scaling));
    }

    /// What the loss reads its scale from, on the device; null without one.
    const LossScale* address() const { return scale_; }

    /// Launches what is done with the scale behind a step's gradients; `losses` are its images'.
    void launch(const cuda::TrainingFrame<Driver>& frame, const cuda::ImageLoss* losses) const {
        Driver& driver = *frame.frame.driver;
        const cuda::Grid grid = cuda::UnscaleKernel::grid(count_);
        driver.template launch<cuda::UnscaleKernel>(grid, {frame.gradients, count_, scale_, overflows_});
        const cuda::MoveScaleArguments move{losses,
                                            frame.frame.images,
                                            overflows_,
                                            grid.x,
                                            scale_,
                                            static_cast<float>(scaling_.growth),
                                            static_cast<float>(scaling_.backoff),
                                            scaling_.interval};
        driver.template launch<cuda::MoveScaleKernel>(cuda::MoveScaleKernel::grid(move), move);
    }

    /// Begins to copy to the host what value() returns.
    void download(Driver& driver) const {
        driver.download(host_scale_, scale_, sizeof(LossScale), cuda::Stream::compute);
    }
    /// The scale behind the last step.
    LossScale value() const { return host_scale_ ? *host_scale_ : LossScale{}; }
    /// Puts the scale somewhere else.
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
}  // namespace tenon
