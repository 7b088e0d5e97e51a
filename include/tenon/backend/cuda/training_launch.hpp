// From steps of training to launches: the kernels of each step and their arguments for a batch.
#pragma once

#include <tenon/backend/cuda/loss.hpp>
#include <tenon/backend/cuda/pool_gradient.hpp>
#include <tenon/backend/cuda/training_norm.hpp>
#include <tenon/backend/cuda/training_plan.hpp>
#include <tenon/backend/cuda/weight_gradient.hpp>
#include <tenon/core/random.hpp>

namespace tenon::cuda {
inline namespace TENON_ISA_NAMESPACE {

/// Floats of scratch memory that the steps of a plan need for sums.
template <TrainingCapacity T>
constexpr long training_partials(Precision precision, const TrainingPlan<T>& plan, int multiprocessors) {
    return std::max({partial_floats(precision, multiprocessors),
                     weight_gradient_floats(precision, plan.largest_weights, multiprocessors),
                     channel_partials(plan.largest_channels)});
}

/// Packs the parameters of a convolution or linear layer for this step.
template <Precision P, class Driver>
void launch_pack(const TrainingStep& training, const TrainingFrame<Driver>& frame, bool transposed) {
    const Step& step = training.step;
    Driver& driver = *frame.frame.driver;
    for (int i = 0; i < 2; ++i) {
        const Term& term = step.terms[i];
        if (!term.source.exists()) continue;
        const TermPacking& packing = training.packing[i];
        PackWeightsBody<P> body{};
        body.count = static_cast<long>(packing.rows) * term.depth;
        body.weights = frame.parameter(training.layers[i].weight);
        body.target = reinterpret_cast<Number<P>*>(frame.packed + term.weights);
        body.outputs = packing.outputs;
        body.inputs = packing.inputs;
        body.taps = packing.taps;
        body.groups = packing.groups;
        body.row_channels = packing.linear && !transposed ? term.map.pitch : term.group_channels;
        body.transposed = transposed;
        body.linear = packing.linear;
        launch_map(driver, body);
    }
    PackShiftBody shift{};
    shift.count = step.result().channels;
    shift.first = frame.parameter(training.layers[0].bias);
    shift.second = step.terms[1].source.exists() ? frame.parameter(training.layers[1].bias) : nullptr;
    shift.target = reinterpret_cast<float*>(frame.packed + step.shift);
    if (!transposed) launch_map(driver, shift);
}

/// A convolution or linear layer with the parameters of this step.
template <Precision P, int Vector, int OutputVector, class Driver>
void launch_training_product(const TrainingStep& training, const TrainingFrame<Driver>& frame) {
    const bool transposed = training.kind == TrainingKind::data_gradient;
    launch_pack<P>(training, frame, transposed);
    if (!transposed) return launch_conv<P, Vector, OutputVector>(training.step, frame.frame);
    Step step = training.step;
    step.shift = -1;
    launch_conv<P, Vector, OutputVector>(step, frame.frame);
}

/// The gradients of a convolution's or linear layer's weights and bias.
template <Precision P, int Vector, int OutputVector, class Driver>
void launch_weight_gradient(const TrainingStep& training, const TrainingFrame<Driver>& frame) {
    const Step& step = training.step;
    const Term& term = step.terms[0];
    const TermPacking& packing = training.packing[0];
    Driver& driver = *frame.frame.driver;
    WeightGradientArguments arguments{};
    arguments.source = address<Number<P>>(frame.frame, term.source);
    arguments.gradient = address<Number<P>>(frame.frame, step.target);
    arguments.partials = frame.frame.partials;
    arguments.channels = term.source.pitch;
    arguments.group_channels = term.group_channels;
    arguments.height = term.source.height;
    arguments.width = term.source.width;
    set_window(arguments, term.window);
    arguments.columns = term.depth;
    arguments.result_height = step.target.height;
    arguments.result_width = step.target.width;
    arguments.pixels = static_cast<int>(frame.frame.images * step.target.pixels());
    arguments.groups = step.groups;
    arguments.group_outputs = step.target.channels / step.groups;
    const WeightGradientChoice choice = choose_weight_gradient(P, arguments.pixels, arguments.group_outputs, term.depth,
                                                               step.groups, driver.multiprocessors());
    arguments.splits = choice.splits;
    const auto launch = [&]<int Tile>(std::integral_constant<int, Tile>) {
        using Kernel = WeightGradientKernel<weight_gradient_spec(P, Tile, Vector, OutputVector)>;
        if (choice.tile == Tile) driver.template launch<Kernel>(Kernel::grid(arguments), arguments);
    };
    [&]<int... Tile>(std::integer_sequence<int, Tile...>) { (launch(std::integral_constant<int, Tile>{}), ...); }
    (std::make_integer_sequence<int, weight_gradient_tiles>{});
    SumWeightGradientBody sum{};
    sum.count = static_cast<long>(step.target.channels) * term.depth;
    sum.partials = frame.frame.partials;
    sum.gradient = frame.parameter_gradient(training.layers[0].weight);
    sum.splits = choice.splits;
    sum.columns = term.depth;
    sum.group_channels = packing.linear ? term.map.channels : term.group_channels;
    sum.inputs = packing.inputs;
    sum.factor = 1 / loss_scale(P);
    launch_map(driver, sum);
}

/// First and second stage of sums over pixels.
template <int Pack, class Driver, class Body, class Finish>
void launch_channel_sums(const TrainingFrame<Driver>& frame, const Tensor& map, const Body& body,
                         const Finish& finish) {
    using First = ChannelSumsKernel<Body, Pack>;
    using Second = MergeSumsKernel<Finish>;
    const ChannelChunks chunks{frame.frame.images * map.pixels(), map.channels, Pack};
    const typename First::Arguments first{chunks, frame.frame.partials, body};
    const typename Second::Arguments second{chunks, frame.frame.partials, finish};
    frame.frame.driver->template launch<First>(chunks.grid(Pack), first);
    frame.frame.driver->template launch<Second>(Second::grid(second), second);
}

template <Precision P, int Pack, class Driver>
void launch_bias_gradient(const TrainingStep& training, const TrainingFrame<Driver>& frame) {
    BiasGradientSums<Number<P>> body{address<Number<P>>(frame.frame, training.gradient), training.gradient.channels};
    launch_channel_sums<Pack>(frame, training.gradient, body,
                              BiasGradientFinish{frame.parameter_gradient(training.layers[0].bias), 1 / loss_scale(P)});
}

template <Precision P, int Vector, int OutputVector, int Pack, class Driver>
void launch_parameter_gradients(const TrainingStep& training, const TrainingFrame<Driver>& frame) {
    launch_weight_gradient<P, Vector, OutputVector>(training, frame);
    launch_bias_gradient<P, Pack>(training, frame);
}

template <class Driver>
NormNumbers norm_numbers(const TrainingStep& training, const TrainingFrame<Driver>& frame) {
    const LayerPlaces& places = training.layers[0];
    NormNumbers numbers{};
    numbers.gamma = frame.parameter(places.gamma);
    numbers.beta = frame.parameter(places.beta);
    numbers.running_mean = frame.parameter(places.running_mean);
    numbers.running_variance = frame.parameter(places.running_variance);
    numbers.derived = frame.statistics + training.statistics;
    numbers.channels = training.source().channels;
    numbers.epsilon = training.epsilon;
    numbers.momentum = training.momentum;
    return numbers;
}

template <Precision P, int Pack, class Driver>
void launch_statistics(const TrainingStep& training, const TrainingFrame<Driver>& frame) {
    using Kernel = StatisticsKernel<Number<P>, Pack>;
    const Tensor& source = training.source();
    const ChannelChunks chunks{frame.frame.images * source.pixels(), source.channels, Pack};
    const typename Kernel::Arguments first{chunks, frame.frame.partials, address<Number<P>>(frame.frame, source)};
    const MergeStatisticsKernel::Arguments second{chunks, frame.frame.partials, norm_numbers(training, frame)};
    frame.frame.driver->template launch<Kernel>(chunks.grid(Pack), first);
    frame.frame.driver->template launch<MergeStatisticsKernel>(MergeStatisticsKernel::grid(second), second);
}

/// x * scale + shift, then ReLU if it is fused: the activated result of a copy.
template <Precision P, int Pack, class Driver>
void launch_norm(const TrainingStep& training, const TrainingFrame<Driver>& frame) {
    const NormNumbers numbers = norm_numbers(training, frame);
    if (training.frozen) launch_map(*frame.frame.driver, FrozenNormBody{numbers.channels, numbers});
    PointwiseBody<Number<P>, Pack> body{};
    body.count = frame.frame.images * training.target().scalars() / Pack;
    body.source = address<Number<P>>(frame.frame, training.source());
    body.finish.activated = address<Number<P>>(frame.frame, training.target());
    body.finish.scale = numbers.scale();
    body.finish.channels = numbers.channels;
    body.finish.activated_relu = training.step.relu;
    launch_map(*frame.frame.driver, body);
}

template <Precision P, int Pack, class Driver>
void launch_norm_gradient(const TrainingStep& training, const TrainingFrame<Driver>& frame) {
    const LayerPlaces& places = training.layers[0];
    NormGradientOperands<Number<P>> operands{};
    operands.source = address<Number<P>>(frame.frame, training.source());
    operands.gradient = address<Number<P>>(frame.frame, training.gradient);
    operands.numbers = norm_numbers(training, frame);
    operands.relu = training.step.relu;
    if (!training.frozen) {
        NormGradientFinish finish{};
        finish.numbers = operands.numbers;
        finish.gamma_gradient = frame.parameter_gradient(places.gamma);
        finish.beta_gradient = frame.parameter_gradient(places.beta);
        finish.factor = 1 / loss_scale(P);
        finish.count = static_cast<double>(frame.frame.images * training.source().pixels());
        launch_channel_sums<Pack>(frame, training.source(), NormGradientSums<Number<P>>{operands}, finish);
    }
    if (!training.target().exists()) return;
    NormGradientBody<Number<P>, Pack> body{};
    body.count = frame.frame.images * training.target().scalars() / Pack;
    body.operands = operands;
    body.sum = address<Number<P>>(frame.frame, training.sum);
    body.target = address<Number<P>>(frame.frame, training.target());
    body.frozen = training.frozen;
    launch_map(*frame.frame.driver, body);
}

/// What goes element by element: masks, products, sums, scales.
template <Precision P, int Pack, class Driver>
void launch_gradient_map(const TrainingStep& training, const TrainingFrame<Driver>& frame) {
    using enum TrainingKind;
    GradientBody<Number<P>, Pack> body{};
    body.count = frame.frame.images * training.target().scalars() / Pack;
    const OpKind op = training.step.kind;
    const bool gradient = training.gradient.exists();
    if (training.kind == product_gradient) {
        body.kind = GradientKind::product;
        body.other = address<Number<P>>(frame.frame, training.other);
    } else if (training.kind == relu_gradient || (training.kind == activation_gradient && op == OpKind::relu)) {
        body.kind = GradientKind::relu;
        body.other = address<Number<P>>(frame.frame, training.result);
    } else if (training.kind == activation_gradient && op == OpKind::sigmoid) {
        body.kind = GradientKind::sigmoid;
        body.other = address<Number<P>>(frame.frame, training.result);
    } else if (training.kind != add_gradient && op == OpKind::scale) {
        body.kind = GradientKind::scale;
        body.factor = static_cast<float>(training.rate);
        body.relu = !gradient && training.step.relu;
    }
    body.gradient = address<Number<P>>(frame.frame, gradient ? training.gradient : training.source());
    body.sum = address<Number<P>>(frame.frame, training.sum);
    body.target = address<Number<P>>(frame.frame, training.target());
    launch_map(*frame.frame.driver, body);
}

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
    body.stream = mix(static_cast<std::uint64_t>(training.layer) + 1);
    // A number of 24 bits is below the rate if it is below this.
    body.dropped = static_cast<std::uint64_t>(std::ceil(training.rate * 0x1p24));
    body.factor = static_cast<float>(1 / (1 - training.rate));
    body.relu = !gradient && training.step.relu;
    launch_map(*frame.frame.driver, body);
}

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

/// A step that inference has as well.
template <auto Launch, class Driver>
void launch_inference_step(const TrainingStep& training, const TrainingFrame<Driver>& frame) {
    Launch(training.step, frame.frame);
}

/// The kernels of one step of a training plan; steps that need the same code share it.
template <const auto& Plan, int Index, Precision P, class Driver>
consteval TrainingFunction<Driver> training_step_function() {
    constexpr const TrainingStep& training = Plan.steps[Index];
    constexpr const Step& step = training.step;
    constexpr TrainingKind kind = training.kind;
    constexpr int pack = training.pack;
    using enum TrainingKind;
    if constexpr (kind == data_gradient)
        return &launch_training_product<P, step.vector, step.output_vector, Driver>;
    else if constexpr (kind == forward || kind == recompute) {
        using enum OpKind;
        if constexpr (step.is_product())
            return &launch_training_product<P, step.vector, step.output_vector, Driver>;
        else if constexpr (step.kind == batch_norm)
            return &launch_norm<P, pack, Driver>;
        else if constexpr (step.kind == dropout)
            return &launch_dropout<P, Driver>;
        else if constexpr (step.kind == OpKind::scale)
            return &launch_gradient_map<P, pack, Driver>;
        else if constexpr (step.kind == max_pool || step.kind == average_pool)
            return &launch_inference_step<&launch_pool<P, pack, Driver>, Driver>;
        else if constexpr (step.kind == global_average_pool || step.kind == global_max_pool)
            return &launch_inference_step<&launch_global_pool<P, Driver>, Driver>;
        else if constexpr (step.kind == pad_channels)
            return &launch_inference_step<&launch_pad_channels<P, Driver>, Driver>;
        else if constexpr (step.kind == softmax)
            return &launch_inference_step<&launch_softmax<P, Driver>, Driver>;
        else
            return &launch_inference_step<&launch_pointwise<P, pack, Driver>, Driver>;  // add, relu, multiply, sigmoid
    } else if constexpr (kind == statistics)
        return &launch_statistics<P, pack, Driver>;
    else if constexpr (kind == weight_gradient)
        return training.layers[0].bias < 0
                   ? &launch_weight_gradient<P, step.vector, step.output_vector, Driver>
                   : &launch_parameter_gradients<P, step.vector, step.output_vector, pack, Driver>;
    else if constexpr (kind == norm_gradient)
        return &launch_norm_gradient<P, pack, Driver>;
    else if constexpr (kind == subsample_gradient || kind == spread)
        return &launch_spread<P, Driver>;
    else if constexpr (kind == pool_gradient) {
        using enum OpKind;
        if constexpr (step.kind == global_max_pool)
            return &launch_global_max_gradient<P, Driver>;
        else if constexpr (step.kind == pad_channels || (step.kind == max_pool && !training.source().exists()))
            return &launch_spread<P, Driver>;
        else
            return &launch_pool_gradient<P, pack, Driver>;
    } else if constexpr (kind == activation_gradient && step.kind == OpKind::dropout)
        return &launch_dropout<P, Driver>;
    else if constexpr (kind == activation_gradient && step.kind == OpKind::softmax)
        return &launch_softmax_gradient<P, Driver>;
    else
        return &launch_gradient_map<P, pack, Driver>;
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::cuda
