#pragma once
// IWYU pragma: private, include <tenon/cuda.hpp>

// Launches of training: what works element by element, forward and backward, and the gradients of pooling and softmax.

#include <cmath>

#include <tenon/backend/cuda/training/loss.hpp>
#include <tenon/backend/cuda/training/pool_gradient.hpp>
#include <tenon/backend/cuda/training/step.hpp>
#include <tenon/core/dropout_mask.hpp>

namespace tenon::cuda {
inline namespace TENON_ISA_NAMESPACE {

/// What the map of a step computes: a mask, a product, a sum, a scale.
constexpr GradientKind gradient_kind_of(TrainingKind kind, OpKind op) {
    using enum TrainingKind;
    if (kind == product_gradient) return GradientKind::product;
    if (kind == relu_gradient || (kind == activation_gradient && op == OpKind::relu)) return GradientKind::relu;
    if (kind == activation_gradient && traits_of(op).is_elementwise) return GradientKind::elementwise;
    return kind != add_gradient && op == OpKind::scale ? GradientKind::scale : GradientKind::copy;
}

/// Launches what works element by element.
template <Precision P, int Pack, GradientKind Kind, class Driver>
void launch_gradient_map(const TrainingStep& training, const TrainingFrame<Driver>& frame) {
    GradientBody<Number<P>, Pack, Kind> body{};
    body.count = frame.frame.images * training.target().scalars() / Pack;
    const bool gradient = training.gradient.exists();
    if constexpr (decltype(body)::reads_other)
        body.other = address<Number<P>>(frame.frame, Kind == GradientKind::product ? training.other : training.result);
    body.function = training.step.kind;
    body.factor = static_cast<float>(training.rate);
    body.gradient = address<Number<P>>(frame.frame, gradient ? training.gradient : training.source());
    body.sum = address<Number<P>>(frame.frame, training.sum);
    body.target = address<Number<P>>(frame.frame, training.target());
    launch_map(*frame.frame.driver, body);
}

/// Dropout, of a value or of a gradient.
template <Precision P, class Driver>
void launch_dropout(const TrainingStep& training, const TrainingFrame<Driver>& frame) {
    const bool gradient = training.gradient.exists();
    DropoutBody<Number<P>> body{};
    body.count = frame.frame.images * training.target().scalars();
    body.source = address<Number<P>>(frame.frame, gradient ? training.gradient : training.source());
    body.sum = address<Number<P>>(frame.frame, training.sum);
    body.target = address<Number<P>>(frame.frame, training.target());
    body.channels = training.target().channels;
    body.pixels = static_cast<int>(training.target().pixels());
    body.scalars = frame.scalars;
    body.stream = DropoutMask::stream_of(training.layer);
    // A number of 24 bits is below the rate exactly if it is below this.
    body.dropped = static_cast<std::uint64_t>(std::ceil(training.rate * 0x1p24));
    body.factor = static_cast<float>(1 / (1 - training.rate));
    launch_map(*frame.frame.driver, body);
}

/// The gradient of a subsampling, of a strided residual or of a padding of channels; and zero insertion for strides.
template <Precision P, class Driver>
void launch_spread(const TrainingStep& training, const TrainingFrame<Driver>& frame) {
    const Tensor &target = training.target(), &gradient = training.gradient;
    SpreadBody<Number<P>> body{};
    body.count = frame.frame.images * target.scalars();
    body.gradient = address<Number<P>>(frame.frame, gradient);
    body.sum = address<Number<P>>(frame.frame, training.sum);
    body.target = address<Number<P>>(frame.frame, target);
    body.channels = target.channels;
    body.height = target.height;
    body.width = target.width;
    body.gradient_channels = gradient.channels;
    body.gradient_height = gradient.height;
    body.gradient_width = gradient.width;
    body.before = (gradient.channels - target.channels) / 2;
    body.stride_height = training.step.window().stride_height;
    body.stride_width = training.step.window().stride_width;
    launch_map(*frame.frame.driver, body);
}

/// The gradient of a pooling over windows, or of a global average.
template <Precision P, int Pack, class Driver>
void launch_pool_gradient(const TrainingStep& training, const TrainingFrame<Driver>& frame) {
    const Tensor &target = training.target(), &gradient = training.gradient;
    const bool global = training.step.kind == OpKind::global_average_pool;
    Window window = training.step.window();
    if (global) {
        window = {};
        window.kernel_height = target.height;
        window.kernel_width = target.width;
    }
    PoolGradientBody<Number<P>, Pack> body{};
    body.count = frame.frame.images * target.scalars() / Pack;
    body.source = address<Number<P>>(frame.frame, training.source());
    body.gradient = address<Number<P>>(frame.frame, gradient);
    body.sum = address<Number<P>>(frame.frame, training.sum);
    body.target = address<Number<P>>(frame.frame, target);
    body.channels = target.channels;
    body.height = target.height;
    body.width = target.width;
    body.result_height = gradient.height;
    body.result_width = gradient.width;
    set_window(body, window);
    body.average = global || training.step.kind == OpKind::average_pool;
    body.pad_counts = !global && window.pad_value == PadValue::zero;
    launch_map(*frame.frame.driver, body);
}

/// The gradient of a global maximum.
template <Precision P, class Driver>
void launch_global_max_gradient(const TrainingStep& training, const TrainingFrame<Driver>& frame) {
    using Kernel = GlobalMaxGradientKernel<Number<P>>;
    GlobalMaxGradientArguments arguments{};
    arguments.source = address<Number<P>>(frame.frame, training.source());
    arguments.gradient = address<Number<P>>(frame.frame, training.gradient);
    arguments.sum = address<Number<P>>(frame.frame, training.sum);
    arguments.target = address<Number<P>>(frame.frame, training.target());
    arguments.channels = training.target().channels;
    arguments.pixels = static_cast<int>(training.target().pixels());
    frame.frame.driver->template launch<Kernel>(Kernel::grid(arguments, frame.frame.images), arguments);
}

/// The gradient of a softmax.
template <Precision P, class Driver>
void launch_softmax_gradient(const TrainingStep& training, const TrainingFrame<Driver>& frame) {
    using Kernel = SoftmaxGradientKernel<Number<P>>;
    SoftmaxGradientArguments arguments{};
    arguments.result = address<Number<P>>(frame.frame, training.result);
    arguments.gradient = address<Number<P>>(frame.frame, training.gradient);
    arguments.sum = address<Number<P>>(frame.frame, training.sum);
    arguments.target = address<Number<P>>(frame.frame, training.target());
    arguments.features = static_cast<int>(training.target().scalars());
    frame.frame.driver->template launch<Kernel>(Kernel::grid(frame.frame.images), arguments);
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::cuda
