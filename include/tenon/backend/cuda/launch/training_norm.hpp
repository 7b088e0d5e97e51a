#pragma once
// IWYU pragma: private, include <tenon/cuda.hpp>

// Launches of training: sums over the pixels of a batch, which batch norms and biases need, and what follows them.

#include <tenon/backend/cuda/training/norm_gradient.hpp>
#include <tenon/backend/cuda/training/step.hpp>

namespace tenon::cuda {
inline namespace TENON_ISA_NAMESPACE {

/// Launches the first and the second stage of sums over pixels.
template <int Pack, class Driver, class Body, class Epilogue>
void launch_channel_sums(const TrainingFrame<Driver>& frame, const Tensor& map, const Body& body,
                         const Epilogue& epilogue) {
    using First = ChannelSumsKernel<Body, Pack>;
    using Second = MergeSumsKernel<Epilogue>;
    const ChannelChunks chunks{frame.frame.images * map.pixels(), map.channels, Pack};
    const typename First::Arguments first{chunks, frame.frame.partials, body};
    const typename Second::Arguments second{chunks, frame.frame.partials, epilogue};
    frame.frame.driver->template launch<First>(chunks.grid(Pack), first);
    frame.frame.driver->template launch<Second>(Second::grid(second), second);
}

/// The gradient of a bias.
template <Precision P, int Pack, class Driver>
void launch_bias_gradient(const TrainingStep& training, const TrainingFrame<Driver>& frame) {
    BiasGradientSums<Number<P>> body{address<Number<P>>(frame.frame, training.gradient), training.gradient.channels};
    launch_channel_sums<Pack>(frame, training.gradient, body,
                              BiasGradientEpilogue{frame.parameter_gradient(training.layers[0].bias)});
}

/// The addresses of a batch norm's numbers.
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

/// The statistics of a batch norm, and the update of its running statistics.
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
    PointwiseBody<Number<P>, Pack, MapKind::identity> body{};
    body.count = frame.frame.images * training.target().scalars() / Pack;
    body.source = address<Number<P>>(frame.frame, training.source());
    body.epilogue.activated = address<Number<P>>(frame.frame, training.target());
    body.epilogue.scale = numbers.scale();
    body.epilogue.channels = numbers.channels;
    body.epilogue.activated_relu = training.step.relu;
    launch_map(*frame.frame.driver, body);
}

/// The gradients of gamma, beta and the source of a batch norm: sums of `SumPack` channels at a time, a map of `Pack`.
template <Precision P, int SumPack, int Pack, class Driver>
void launch_norm_gradient(const TrainingStep& training, const TrainingFrame<Driver>& frame) {
    const LayerPlaces& places = training.layers[0];
    NormGradientOperands<Number<P>> operands{};
    operands.source = address<Number<P>>(frame.frame, training.source());
    operands.gradient = address<Number<P>>(frame.frame, training.gradient);
    operands.numbers = norm_numbers(training, frame);
    operands.relu = training.step.relu;
    if (!training.frozen) {
        NormGradientEpilogue epilogue{};
        epilogue.numbers = operands.numbers;
        epilogue.gamma_gradient = frame.parameter_gradient(places.gamma);
        epilogue.beta_gradient = frame.parameter_gradient(places.beta);
        epilogue.count = static_cast<double>(frame.frame.images * training.source().pixels());
        launch_channel_sums<SumPack>(frame, training.source(), NormGradientSums<Number<P>>{operands}, epilogue);
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

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::cuda
