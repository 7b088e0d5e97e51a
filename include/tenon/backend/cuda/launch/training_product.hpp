#pragma once
// IWYU pragma: private, include <tenon/cuda.hpp>

// Launches of training: the packing of weights, convolutions and linear layers that read them, and the gradients of
// both operands.

#include <vector>

#include <tenon/backend/cuda/training/pack.hpp>
#include <tenon/backend/cuda/training/step.hpp>
#include <tenon/backend/cuda/training/weight_gradient.hpp>

namespace tenon::cuda {
inline namespace TENON_ISA_NAMESPACE {

/// Whether a convolution or linear layer, or one that is added to it, has a bias.
inline bool has_bias(const TrainingStep& training) {
    return training.layers[0].bias >= 0 || (training.step.terms[1].source.exists() && training.layers[1].bias >= 0);
}

/// What one launch packs for the steps of a plan, and the blocks that it takes.
struct Packing {
    std::vector<PackPart> parts;
    int blocks = 0;

    void add(PackPart part, int numbers_of_a_block) {
        part.first_block = blocks;
        blocks += static_cast<int>(blocks_of(part.count, numbers_of_a_block));
        parts.push_back(part);
    }
};

/// Adds what a convolution or linear layer, or its data gradient, reads.
template <Precision P, class Driver>
void add_packing(Packing& packing, const TrainingStep& training, const TrainingFrame<Driver>& frame) {
    const Step& step = training.step;
    const bool transposed = training.kind == TrainingKind::data_gradient;
    for (int i = 0; i < 2; ++i) {
        const Term& term = step.terms[i];
        if (!term.source.exists()) continue;
        const TermPacking& sizes = training.packing[i];
        PackPart part{};
        const bool bordered = term.row > 0;
        part.kind = bordered       ? PackKind::bordered
                    : !transposed  ? PackKind::forward
                    : sizes.linear ? PackKind::linear_gradient
                                   : PackKind::data_gradient;
        part.count = sizes.rows * term.depth;
        part.parameters = frame.parameter(training.layers[i].weight);
        part.target = frame.packed + term.weights;
        part.outputs = sizes.outputs;
        part.inputs = sizes.inputs;
        part.taps = bordered ? term.window.taps() : sizes.taps;
        if (bordered) part.row_taps = term.row_taps;
        part.groups = sizes.groups;
        part.row_channels = sizes.linear && !transposed ? term.map.pitch : term.group_channels;
        packing.add(part, PackKernel<P>::numbers);
    }
    if (transposed || !has_bias(training)) return;
    PackPart shift{};
    shift.kind = PackKind::shift;
    shift.count = step.result().channels;
    shift.parameters = frame.parameter(training.layers[0].bias);
    shift.others = step.terms[1].source.exists() ? frame.parameter(training.layers[1].bias) : nullptr;
    shift.target = frame.packed + step.shift;
    packing.add(shift, PackKernel<P>::numbers);
}

/// A convolution or linear layer with the packed parameters, or its data gradient.
template <Precision P, int Vector, int OutputVector, class Driver>
void launch_training_product(const TrainingStep& training, const TrainingFrame<Driver>& frame) {
    Step step = training.step;
    if (training.kind == TrainingKind::data_gradient || !has_bias(training)) step.shift = -1;
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
    const bool in_library = [&] {
        if constexpr (requires { driver.template differentiate_weights<P>(arguments); })
            return driver.template differentiate_weights<P>(arguments);
        else
            return false;
    }();
    WeightLayout& layout = arguments.layout;
    layout.row = layout.channels = packing.linear ? term.map.channels : term.group_channels;
    if (term.row > 0) {
        layout.channels = padded_input;
        layout.row_taps = term.row_taps;
    }
    layout.inputs = packing.inputs;
    layout.taps = packing.taps;
    float* const weights = frame.parameter_gradient(training.layers[0].weight);
    const WeightGradientChoice choice = choose_weight_gradient(P, arguments.pixels, arguments.group_outputs, term.depth,
                                                               step.groups, driver.multiprocessors());
    arguments.splits = choice.splits;
    if (choice.splits == 1 || adds_gradient_splits(P, choice)) {
        arguments.weights = weights;
        arguments.tickets = frame.frame.tickets;
    }
    const auto launch = [&]<int Tile>(std::integral_constant<int, Tile>) {
        using Kernel = WeightGradientKernel<weight_gradient_spec(P, Tile, Vector, OutputVector)>;
        if (choice.tile == Tile && !in_library) driver.template launch<Kernel>(Kernel::grid(arguments), arguments);
    };
    [&]<int... Tile>(std::integer_sequence<int, Tile...>) { (launch(std::integral_constant<int, Tile>{}), ...); }
    (std::make_integer_sequence<int, weight_gradient_tiles>{});
    if (arguments.weights && !in_library) return;
    SumWeightGradientBody sum{};
    sum.count = long{step.target.channels} * term.depth;
    sum.partials = frame.frame.partials;
    sum.weights = weights;
    sum.splits = in_library ? 1 : choice.splits;
    sum.columns = term.depth;
    sum.layout = layout;
    launch_map(driver, sum);
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::cuda
