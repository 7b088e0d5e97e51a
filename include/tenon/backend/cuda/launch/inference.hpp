#pragma once
// IWYU pragma: private, include <tenon/cuda.hpp>

// From steps to launches: the kernel of each step, and its arguments for a batch.

#include <algorithm>

#include <tenon/backend/cuda/kernels/conv.hpp>
#include <tenon/backend/cuda/kernels/conv_choice.hpp>
#include <tenon/backend/cuda/kernels/reduce.hpp>
#include <tenon/backend/cuda/kernels/sum_splits.hpp>
#include <tenon/backend/cuda/launch/frame.hpp>
#include <tenon/backend/cuda/plan/plan.hpp>

namespace tenon::cuda {

inline namespace TENON_ISA_NAMESPACE {

/// A convolution or linear layer, with the tile and splits that suit the batch.
template <Precision P, int Vector, int OutputVector, class Driver>
void launch_conv(const Step& step, const Frame<Driver>& frame) {
    ConvArguments arguments = conv_arguments<Number<P>>(step, frame);
    if constexpr (requires { frame.driver->template convolve<P>(arguments); })
        if (frame.driver->template convolve<P>(arguments)) return;  // a library computes it
    const ConvChoice choice = choose_conv(P, arguments.pixels, arguments.group_outputs, arguments.groups, step.depth(),
                                          Vector * number_bytes(P), frame.driver->multiprocessors());
    arguments.splits = choice.splits;
    if (adds_splits(P, choice)) arguments.tickets = frame.tickets;
    const auto launch = [&]<int Tile>(std::integral_constant<int, Tile>) {
        using Kernel = ConvKernel<conv_spec(P, Tile, Vector, OutputVector)>;
        if (choice.tile == Tile) frame.driver->template launch<Kernel>(Kernel::grid(arguments), arguments);
    };
    [&]<int... Tile>(std::integer_sequence<int, Tile...>) { (launch(std::integral_constant<int, Tile>{}), ...); }
    (std::make_integer_sequence<int, conv_tiles>{});
    if (choice.splits == 1 || arguments.tickets) return;
    SumSplitsBody<Number<P>, OutputVector> sum{};
    sum.count = long{arguments.pixels} * arguments.epilogue.channels / OutputVector;
    sum.partials = frame.partials;
    sum.splits = choice.splits;
    sum.epilogue = arguments.epilogue;
    launch_map(*frame.driver, sum);
}

/// A pooling over windows.
template <Precision P, int OutputVector, class Driver>
void launch_pool(const Step& step, const Frame<Driver>& frame) {
    const Window& window = step.window();
    PoolBody<Number<P>, OutputVector> body{};
    body.count = frame.images * step.result().scalars() / OutputVector;
    body.source = address<Number<P>>(frame, step.source());
    body.height = step.source().height;
    body.width = step.source().width;
    set_window(body, window);
    body.average = step.kind == OpKind::average_pool;
    body.pad_counts = window.pad_value == PadValue::zero;
    body.epilogue = epilogue_arguments<Number<P>>(step, frame);
    launch_map(*frame.driver, body);
}

/// A global pooling.
template <Precision P, class Driver>
void launch_global_pool(const Step& step, const Frame<Driver>& frame) {
    using Kernel = GlobalPoolKernel<Number<P>>;
    GlobalPoolArguments arguments{};
    arguments.source = address<Number<P>>(frame, step.source());
    arguments.pixels = static_cast<int>(step.source().pixels());
    arguments.average = step.kind == OpKind::global_average_pool;
    arguments.target = address<Number<P>>(frame, step.target);
    arguments.channels = step.target.channels;
    frame.driver->template launch<Kernel>(Kernel::grid(arguments, frame.images), arguments);
}

/// What a map of an operation computes before its epilogue.
constexpr MapKind map_kind_of(OpKind kind) {
    return kind == OpKind::multiply         ? MapKind::multiply
           : traits_of(kind).is_elementwise ? MapKind::elementwise
                                            : MapKind::identity;
}

/// Whether the passes fuse nothing with operations whose kernels have no epilogue.
consteval bool epilogues_are_where_passes_need_them() {
    for (const OpTraits& traits : op_traits) {
        const bool has_none = traits.is_global_pooling || traits.kind == OpKind::pad_channels ||
                              map_kind_of(traits.kind) != MapKind::identity;
        if (has_none && (traits.takes_relu || traits.activates)) return false;
    }
    return true;
}
static_assert(epilogues_are_where_passes_need_them());

/// What works element by element: additions, products, functions of each element, and norms and ReLUs, which are in the
/// epilogue.
template <Precision P, int OutputVector, MapKind Kind, class Driver>
void launch_pointwise(const Step& step, const Frame<Driver>& frame) {
    PointwiseBody<Number<P>, OutputVector, Kind> body{};
    body.count = frame.images * step.result().scalars() / OutputVector;
    body.source = address<Number<P>>(frame, step.source());
    if constexpr (Kind == MapKind::multiply) body.other = address<Number<P>>(frame, step.terms[1].source);
    if constexpr (Kind == MapKind::elementwise) body.function = step.kind;
    body.epilogue = epilogue_arguments<Number<P>>(step, frame);
    launch_map(*frame.driver, body);
}

/// Every n-th pixel with channels of zeros around its own.
template <Precision P, class Driver>
void launch_pad_channels(const Step& step, const Frame<Driver>& frame) {
    PadChannelsBody<Number<P>> body{};
    body.count = frame.images * step.result().scalars();
    body.source = address<Number<P>>(frame, step.source());
    body.channels = step.source().channels;
    body.height = step.source().height;
    body.width = step.source().width;
    body.stride_height = step.window().stride_height;
    body.stride_width = step.window().stride_width;
    body.target = address<Number<P>>(frame, step.target);
    body.target_channels = step.target.channels;
    body.target_height = step.target.height;
    body.target_width = step.target.width;
    launch_map(*frame.driver, body);
}

/// Softmax over the features of each image.
template <Precision P, class Driver>
void launch_softmax(const Step& step, const Frame<Driver>& frame) {
    using Kernel = SoftmaxKernel<Number<P>>;
    SoftmaxArguments arguments{};
    arguments.source = address<Number<P>>(frame, step.source());
    arguments.target = address<Number<P>>(frame, step.result());
    arguments.features = static_cast<int>(step.source().scalars());
    frame.driver->template launch<Kernel>(Kernel::grid(frame.images), arguments);
}

/// Copies the user's images, in float or in bytes, to the layout and type of the program's input.
template <Precision P, class Driver>
void launch_load_input(const Step& step, const Frame<Driver>& frame) {
    const auto launch = [&](auto body, auto source) {
        body.target_width = step.target.width;
        body.target_pixels = static_cast<int>(step.target.pixels());
        body.count = static_cast<long>(frame.images) * body.target_pixels;
        body.source = source;
        body.target = address<Number<P>>(frame, step.target);
        body.channels = step.source().channels;
        body.height = step.source().height;
        body.width = step.source().width;
        body.top = step.window().top;
        body.left = step.window().left;
        body.pitch = step.target.pitch;
        launch_map(*frame.driver, body);
    };
    if (!frame.bytes) return launch(LoadInputBody<Number<P>>{}, frame.input);
    LoadBytesBody<Number<P>> body{};
    body.scale = frame.byte_scale;
    launch(body, frame.bytes);
}

/// Copies the program's output to the user's memory, NCHW in float.
template <Precision P, class Driver>
void launch_store_output(const Step& step, const Frame<Driver>& frame) {
    StoreOutputBody<Number<P>> body{};
    body.count = frame.images * step.source().scalars();
    body.source = address<Number<P>>(frame, step.source());
    body.target = frame.output;
    body.channels = step.source().channels;
    body.pixels = static_cast<int>(step.source().pixels());
    launch_map(*frame.driver, body);
}

/// The function that launches one step of a plan; steps that need the same code share it.
template <const auto& Plan, int Index, Precision P, class Driver>
consteval StepFunction<Driver> step_function() {
    constexpr const Step& step = Plan.steps[Index];
    using enum OpKind;
    if constexpr (step.is_product()) return &launch_conv<P, step.vector, step.output_vector, Driver>;
    if constexpr (step.kind == max_pool || step.kind == average_pool)
        return &launch_pool<P, std::min(step.output_vector, 4), Driver>;
    if constexpr (step.kind == global_average_pool || step.kind == global_max_pool)
        return &launch_global_pool<P, Driver>;
    if constexpr (step.kind == add || step.kind == batch_norm || step.kind == relu || step.kind == OpKind::scale ||
                  step.kind == OpKind::multiply || traits_of(step.kind).is_elementwise)
        return &launch_pointwise<P, step.output_vector, map_kind_of(step.kind), Driver>;
    if constexpr (step.kind == pad_channels) return &launch_pad_channels<P, Driver>;
    if constexpr (step.kind == softmax) return &launch_softmax<P, Driver>;
    if constexpr (step.kind == load_input) return &launch_load_input<P, Driver>;
    if constexpr (step.kind == store_output) return &launch_store_output<P, Driver>;
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::cuda
