#pragma once
// IWYU pragma: private, include <tenon/report.hpp>

// The program of the gradients of a network's results with respect to its values, at evaluation: norms by their running
// statistics, no dropout, no gradients of parameters. And of that program just the path to some values.

#include <bit>
#include <memory>
#include <span>
#include <vector>

#include <tenon/core/index.hpp>
#include <tenon/program/training/differentiate.hpp>

namespace tenon::detail {

/// A program that is made when it is needed, by code that networks of similar size share: explanations don't add to
/// what the compiler computes for a network.
struct GradientProgram {
    std::vector<Op> forward;
    std::vector<LayerInfo> layers;
    std::vector<Parameter> parameters;
    std::vector<TrainingOp> ops;  ///< `forward_ops` of them, then those of the gradients
    std::vector<Shape> values;
    std::vector<int> gradient;  ///< of each value of the forward program; -1: the results don't depend on it
    int forward_ops = 0;
    int output = 0, output_gradient = -1;
};

/// A capacity that many programs share: all sizes are the same power of two.
constexpr Capacity shared_capacity(Capacity exact) {
    int largest = 64;
    for (const int size : {exact.ops, exact.values, exact.layers, exact.parameters})
        if (size > largest) largest = size;
    const int rounded = static_cast<int>(std::bit_ceil(static_cast<unsigned>(largest)));
    return {rounded, rounded, rounded, rounded};
}

/// Makes of a lowered program what evaluation computes, without fusing anything, so that each place has a value: drops
/// dropouts, flattenings and a softmax at the end, freezes all layers and saves all values.
template <Capacity C>
constexpr Program<C> evaluation_forward(const Program<C>& program) {
    Program<C> result = drop_ops(program, [output = program.output](const Op& op) {
        return op.kind == OpKind::flatten || op.kind == OpKind::dropout ||
               (op.kind == OpKind::softmax && op.target == output);
    });
    for (LayerInfo& layer : result.layers) layer.frozen = true;
    for (Op& op : result.ops) op.recompute = -1;
    return result;
}

inline namespace TENON_ISA_NAMESPACE {

/// The gradient program of a lowered program.
template <Capacity C>
GradientProgram gradient_program(const Program<C>& lowered) {
    // An operation has at most two terms, of each a gradient, a ReLU's gradient and a sum.
    constexpr TrainingCapacity bound{6 * (C.ops + 2), 6 * (C.ops + 2) + C.values + 2};
    const auto forward = std::make_unique<Program<C>>(evaluation_forward(lowered));
    const auto program = std::make_unique<TrainingProgram<C, bound>>();
    Differentiator<C> differentiator{*forward, {.input_gradient = true, .recompute_activations = false}};
    differentiator.write(*program);
    GradientProgram result{.forward = {forward->ops.begin(), forward->ops.end()},
                           .layers = {forward->layers.begin(), forward->layers.end()},
                           .parameters = {forward->parameters.begin(), forward->parameters.end()},
                           .ops = {program->ops.begin(), program->ops.end()},
                           .values = {program->values.begin(), program->values.end()},
                           .gradient = {},
                           .forward_ops = program->forward_ops,
                           .output = program->output,
                           .output_gradient = program->output_gradient};
    for (int v = 0; v < forward->values.size(); ++v) result.gradient.push_back(differentiator.gradient_of(v));
    return result;
}

/// Copies a list into another capacity.
template <class To, class From>
void copy_items(To& to, const From& from) {
    for (const auto& item : from) to.push_back(item);
}

/// The gradient program of a program of any capacity.
template <Capacity C>
GradientProgram gradient_program_of(const Program<C>& lowered) {
    constexpr Capacity shared = shared_capacity(C);
    const auto program = std::make_unique<Program<shared>>();
    copy_items(program->ops, lowered.ops);
    copy_items(program->values, lowered.values);
    copy_items(program->layers, lowered.layers);
    copy_items(program->parameters, lowered.parameters);
    program->output = lowered.output;
    return gradient_program(*program);
}

/// Which operations the wanted values need, and the last one that reads each value (-1: none). All others are left out:
/// of the gradients just the path from the results to a place is run.
struct NeededOps {
    std::vector<bool> runs;
    std::vector<int> last_use;

    NeededOps(const GradientProgram& program, std::span<const int> wanted)
        : runs(program.ops.size()), last_use(program.values.size(), -1) {
        std::vector<bool> needed(program.values.size());
        for (const int value : wanted) needed[index(value)] = true;
        for (int i = static_cast<int>(program.ops.size()) - 1; i >= 0; --i) {
            const TrainingOp& op = program.ops[index(i)];
            if (op.target < 0 || !needed[index(op.target)]) continue;
            runs[index(i)] = true;
            for_each_operand(op, [&](int value) {
                needed[index(value)] = true;
                if (last_use[index(value)] < 0) last_use[index(value)] = i;
            });
        }
        for (const int value : wanted) last_use[index(value)] = static_cast<int>(program.ops.size());
    }
};

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::detail
