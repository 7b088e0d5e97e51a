// Hundreds of random small networks, as values: gradients against finite differences, recomputation against keeping
// everything, and the law of the memory plan.
#include <algorithm>
#include <cmath>
#include <cstring>

#include <doctest/doctest.h>

#include <tenon/backend/reference/training_backward.hpp>
#include <tenon/models/resnet_v1.hpp>
#include <tenon/program/memory/plan_training_memory.hpp>
#include <tenon/program/training/differentiate.hpp>
#include <tenon/topology/channel_ops.hpp>
#include <tenon/topology/training_parts.hpp>

namespace {
using namespace tenon;

constexpr detail::Capacity capacity_of_all{160, 160, 160, 320};
constexpr detail::TrainingCapacity training_capacity_of_all{1200, 1200};
using Forward = detail::Program<capacity_of_all>;
using Training = detail::TrainingProgram<capacity_of_all, training_capacity_of_all>;
using Lower = Cursor (*)(Builder&, Cursor);

/// Layers on maps; those that don't fit the map at hand are skipped.
constexpr Lower menu[] = {
    &Conv<4, Kernel<3>, Padding<1>>::lower,
    &Conv<6, Kernel<3>, Stride<2>, Padding<1>, Bias>::lower,
    &Conv<3, Kernel<2, 3>, Padding<0, 1, 1, 0>>::lower,
    &Conv<4, Kernel<3>, Padding<1>, Groups<2>>::lower,
    &Conv<5>::lower,
    &Conv<6, Stride<2>, Bias>::lower,
    &BatchNorm::lower,
    &Sequential<BatchNorm, ReLU>::lower,
    &ReLU::lower,
    &Dropout<Rate<1, 4>>::lower,
    &MaxPool<Kernel<2>>::lower,
    &MaxPool<Kernel<3>, Stride<2>, Padding<1>, PadZero>::lower,
    &AvgPool<Kernel<3>, Stride<2>, Padding<1>>::lower,
    &AvgPool<Kernel<3>, Stride<1>, Padding<1>, PadExcluded>::lower,
    &Block<2, ConvShortcut>::lower,
    &Block<1, ConvShortcut, Stride<2>>::lower,
    &Block<4, Basic, Shortcut<ShortcutKind::exclusive_gating>, Placement<ActivationPlacement::original>>::lower,
    &Block<6, Basic, Stride<2>, PadShortcut, Shortcut<ShortcutKind::shortcut_only_gating>,
           Placement<ActivationPlacement::relu_before_addition>>::lower,
    &Block<6, Basic, PadShortcut, Shortcut<ShortcutKind::constant_scaling>,
           Placement<ActivationPlacement::norm_after_addition>>::lower,
    &Block<2, ConvShortcut, Placement<ActivationPlacement::relu_only_preactivation>>::lower,
    &detail::BasicBlock<4, 2, true>::lower,
    &detail::Bottleneck<1, 1, true>::lower,
    &Recompute<Block<2, ConvShortcut>, ReLU>::lower,
    &Frozen<Conv<4, Kernel<3>, Padding<1>>, BatchNorm, ReLU>::lower,
    &Residual<Identity, Sequential<BatchNorm, ReLU>>::lower,
    &BatchNormWith<NoAffine>::lower,
    &Scale<-1, 2>::lower,
    &Sequential<PadChannels<6, Stride<2>>, ReLU>::lower,
    &GatedResidual<Sequential<Conv<4, Kernel<3>, Padding<1>>, ReLU>, Identity, Conv<4, Bias>>::lower,
    &Product<Identity, Sigmoid>::lower,
    &Recompute<Product<ReLU, Identity>, Sigmoid>::lower,
    &Residual<Conv<4, Kernel<3>, Padding<1>>, Identity>::lower,
    &Residual<ReLU, Residual<Identity, Dropout<>>>::lower,
    &Residual<Sequential<Conv<4, Kernel<3>, Padding<1>>, ReLU>, Conv<4>>::lower,
};

Forward random_network(std::uint64_t number) {
    Forward program{};
    Builder builder{program};
    std::uint64_t draws = 0;
    const auto draw = [&](int count) {
        return static_cast<int>(detail::random_bits(17, number, draws++) % static_cast<std::uint64_t>(count));
    };
    Cursor x = builder.input({1 + draw(4), 5 + draw(4), 5 + draw(4)});
    const int layers = 1 + draw(6);
    for (int i = 0; i < layers; ++i) {
        const Lower lower = menu[draw(static_cast<int>(std::size(menu)))];
        Builder trial;  // without arrays: only to see whether the layer fits
        if (lower(trial, trial.input(x.shape)), trial.failed()) continue;
        x = lower(builder, x);
    }
    x = draw(2)   ? GlobalAvgPool::lower(builder, x)
        : draw(2) ? GlobalMaxPool::lower(builder, x)
                  : Flatten::lower(builder, x);
    x = Linear<3>::lower(builder, x);
    if (draw(4) == 0) x = Sequential<Softmax, Linear<2>>::lower(builder, x);
    REQUIRE_FALSE(builder.failed());
    program.output = x.value;
    const detail::Capacity counts = builder.counts();
    program.ops.count = counts.ops;
    program.values.count = counts.values;
    program.layers.count = counts.layers;
    program.parameters.count = counts.parameters;
    return program;
}

/// One network with memory for its training steps in double.
struct Network {
    Training program;
    std::vector<double> parameters, gradients;
    reference::TrainingState<double> state;

    Network(const Forward& lowered_program, detail::DifferentiationOptions options)
        : program{differentiate<training_capacity_of_all>(detail::training_forward(lowered_program), options)} {
        const detail::Parameter& last = program.forward.parameters.back();
        parameters.resize(static_cast<std::size_t>(last.offset + last.elements()));
        gradients.resize(parameters.size());
        for (std::size_t i = 0; i < parameters.size(); ++i)
            parameters[i] = detail::uniform(detail::random_bits(5, 5, i), -0.9, 0.9);
        for (const detail::Parameter& tensor : program.forward.parameters)
            if (tensor.role == ParameterRole::running_variance || tensor.role == ParameterRole::gamma)
                for (long i = 0; i < tensor.elements(); ++i) {
                    double& value = parameters[static_cast<std::size_t>(tensor.offset + i)];
                    value = 0.6 + std::abs(value);
                }
        state.shapes = {program.values.begin(), program.values.end()};
        state.layers = {program.forward.layers.begin(), program.forward.layers.end()};
        state.tensors = {program.forward.parameters.begin(), program.forward.parameters.end()};
        state.parameters = parameters;
        state.gradients = gradients;
        state.values.resize(state.shapes.size());
        state.mean.resize(state.layers.size());
        state.inverse_deviation.resize(state.layers.size());
        state.batch = 3;
        state.seed = 9;
        state.update_running = false;
        state.values[0].resize(static_cast<std::size_t>(3 * program.values[0].elements()));
        for (std::size_t i = 0; i < state.values[0].size(); ++i)
            state.values[0][i] = detail::uniform(detail::random_bits(6, 6, i), -1, 1);
    }

    void run(int begin, int end) {
        reference::TrainingInterpreter<double> interpreter{state};
        for (int i = begin; i < end; ++i) interpreter.run(program.op_of(program.ops[i]), program.ops[i]);
    }
    double loss() {
        run(0, program.forward_ops);
        double sum = 0;
        const auto& output = state.value(program.output);
        for (std::size_t i = 0; i < output.size(); ++i) sum += output[i] * output_weight(i);
        return sum;
    }
    static double output_weight(std::size_t i) { return detail::uniform(detail::random_bits(7, 7, i), -1, 1); }
    void backward() {
        auto& gradient = state.value(program.output_gradient);
        gradient.resize(state.value(program.output).size());
        for (std::size_t i = 0; i < gradient.size(); ++i) gradient[i] = output_weight(i);
        run(program.forward_ops, program.ops.size());
    }
    bool is_trained(const detail::Parameter& tensor) const {
        return detail::is_trainable(tensor.role) && !program.forward.layers[tensor.layer].frozen;
    }
};

/// The derivative along a random direction, exact and by differences; returns whether they could be compared.
bool compare_direction(Network& network, std::uint64_t number) {
    auto& input = network.state.values[0];
    std::vector<double> direction(network.parameters.size()), input_direction(input.size());
    for (const detail::Parameter& tensor : network.program.forward.parameters)
        if (network.is_trained(tensor))
            for (long i = 0; i < tensor.elements(); ++i) {
                const auto at = static_cast<std::size_t>(tensor.offset + i);
                direction[at] = detail::uniform(detail::random_bits(number, 8, at), -1, 1);
            }
    for (std::size_t i = 0; i < input.size(); ++i)
        input_direction[i] = detail::uniform(detail::random_bits(number, 9, i), -1, 1);

    const double centre = network.loss();
    network.backward();
    double exact = 0;
    for (std::size_t i = 0; i < direction.size(); ++i) exact += direction[i] * network.gradients[i];
    const auto& input_gradient = network.state.value(network.program.input_gradient);
    for (std::size_t i = 0; i < input.size(); ++i) exact += input_direction[i] * input_gradient[i];

    const auto at = [&](double step) {
        const auto move = [&](double by) {
            for (std::size_t i = 0; i < direction.size(); ++i) network.parameters[i] += by * direction[i];
            for (std::size_t i = 0; i < input.size(); ++i) input[i] += by * input_direction[i];
        };
        const auto parameters = network.parameters;
        const auto inputs = input;
        move(step);
        const double loss = network.loss();
        std::copy(parameters.begin(), parameters.end(), network.parameters.begin());
        input = inputs;
        return loss;
    };
    constexpr double step = 1e-6;
    const double above = at(step), below = at(-step);
    const double right = (above - centre) / step, left = (centre - below) / step;
    if (std::abs(right - left) > 1e-3 * (std::abs(exact) + 0.1)) return false;  // a kink between
    CHECK((above - below) / (2 * step) == doctest::Approx(exact).epsilon(1e-5).scale(0.1));
    return true;
}

TEST_CASE("gradients of random networks equal finite differences") {
    int compared = 0, networks = 0;
    for (std::uint64_t number = 0; number < 260; ++number) {
        CAPTURE(number);
        Network network{random_network(number), {.input_gradient = true}};
        ++networks;
        for (std::uint64_t direction = 0; direction < 4; ++direction)
            if (compare_direction(network, number * 10 + direction)) {
                ++compared;
                break;
            }
    }
    CAPTURE(compared);
    CHECK(compared >= 220);
    CHECK(networks == 260);
}

TEST_CASE("recomputing activations changes no bit of a gradient") {
    int fewer = 0;
    for (std::uint64_t number = 0; number < 120; ++number) {
        CAPTURE(number);
        const Forward forward = random_network(number);
        Network recomputing{forward, {}}, keeping{forward, {.recompute_activations = false}};
        recomputing.loss();
        recomputing.backward();
        keeping.loss();
        keeping.backward();
        CHECK(std::memcmp(recomputing.gradients.data(), keeping.gradients.data(),
                          keeping.gradients.size() * sizeof(double)) == 0);
        if (recomputing.program.ops.size() > keeping.program.ops.size()) ++fewer;
    }
    CHECK(fewer > 60);
}

/// Checks the law on one program; the values' sizes are in scalars, with a tail that is not a multiple of the
/// alignment.
void check_plan(const Training& program) {
    long sizes[training_capacity_of_all.values]{};
    for (int v = 0; v < program.values.size(); ++v) sizes[v] = program.values[v].elements();
    const auto plan = detail::plan_training_memory(program, sizes, [&](int a, int b) { return sizes[a] == sizes[b]; });
    // Replay: each place holds the value written last; every operand must still be there, whole.
    std::vector<int> owner(static_cast<std::size_t>(plan.size), -1);
    const auto write = [&](int value) {
        REQUIRE(plan.offset[value] >= 0);
        REQUIRE(plan.offset[value] + sizes[value] <= plan.size);
        for (long i = 0; i < sizes[value]; ++i) owner[static_cast<std::size_t>(plan.offset[value] + i)] = value;
    };
    const auto holds = [&](int value) {
        for (long i = 0; i < sizes[value]; ++i)
            if (owner[static_cast<std::size_t>(plan.offset[value] + i)] != value) return false;
        return true;
    };
    write(0);
    for (int i = 0; i <= program.ops.size(); ++i) {
        if (i == program.forward_ops) {
            CHECK(holds(program.output));
            write(program.output_gradient);
            CHECK(holds(program.output));
        }
        if (i == program.ops.size()) break;
        const detail::TrainingOp& op = program.ops[i];
        detail::for_each_operand(op, [&](int value) { CHECK(holds(value)); });
        if (op.target < 0) continue;
        // A result may only overlap an operand it may replace, and then exactly.
        detail::for_each_operand(op, [&](int value) {
            const bool apart = plan.offset[value] + sizes[value] <= plan.offset[op.target] ||
                               plan.offset[op.target] + sizes[op.target] <= plan.offset[value];
            const bool reads_elsewhere = value != op.sum && (op.kind == detail::TrainingKind::data_gradient ||
                                                             op.kind == detail::TrainingKind::pool_gradient ||
                                                             op.kind == detail::TrainingKind::subsample_gradient);
            const bool gradient_elsewhere =
                value == op.sum && op.sum == op.gradient && op.kind == detail::TrainingKind::data_gradient;
            const bool replaced = !reads_elsewhere && !gradient_elsewhere &&
                                  plan.offset[value] == plan.offset[op.target] &&
                                  (value == detail::replaceable_operand(program, op, false) ||
                                   value == detail::replaceable_operand(program, op, true));
            CHECK((apart || replaced));
        });
        write(op.target);
    }
}

TEST_CASE("the memory plan overwrites nothing that is still read") {
    for (std::uint64_t number = 0; number < 260; ++number) {
        CAPTURE(number);
        const Forward forward = detail::training_forward(random_network(number));
        for (const bool spread : {false, true})
            for (const bool recompute : {false, true})
                check_plan(differentiate<training_capacity_of_all>(
                    forward, {.spread_strides = spread, .recompute_activations = recompute}));
    }
}

}  // namespace
