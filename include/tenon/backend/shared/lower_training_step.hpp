#pragma once
// IWYU pragma: private, include <tenon/training.hpp>

// What the training plans of all backends have in common: where values are in memory, and what a step takes from its
// operation. Each backend adds its layouts, algorithms and scratch memory.

#include <tenon/program/memory/plan_training_memory.hpp>

namespace tenon::detail {

/// The steps of a training plan, and where the network's input, its output and the output's gradient are.
template <class Step, class Tensor, TrainingCapacity T>
struct TrainingSteps {
    FixedVector<Step, T.ops> steps{};
    int forward_steps = 0;
    Tensor input{}, output{}, output_gradient{};
};

/// Gives a place to every value of a training program whose layouts are known, and records in the plan those of the
/// input, the output and its gradient. `size_of(tensor)` is in scalars. Values that are `apart`, if that is not null,
/// neither take another one's place nor give up theirs. Returns the scalars of an image's arena.
template <Capacity C, TrainingCapacity T, class Tensor, class SizeOf, class Step>
constexpr long place_training_values(const TrainingProgram<C, T>& program, Tensor (&tensors)[array_bound<T.values>],
                                     SizeOf size_of, TrainingSteps<Step, Tensor, T>& plan,
                                     const bool* apart = nullptr) {
    long sizes[array_bound<T.values>]{};
    sizes[0] = size_of(tensors[0]);
    for (const TrainingOp& op : program.ops)
        if (op.target >= 0) sizes[op.target] = size_of(tensors[op.target]);
    sizes[program.output_gradient] = size_of(tensors[program.output_gradient]);
    const auto memory = plan_training_memory(program, sizes, [&](int a, int b) {
        return !(apart && (apart[a] || apart[b])) && tensors[a].same_form(tensors[b]);
    });
    for (int i = 0; i < program.values.size(); ++i) tensors[i].offset = memory.offset[i];
    plan.input = tensors[0];
    plan.output = tensors[program.output];
    plan.output_gradient = tensors[program.output_gradient];
    plan.forward_steps = program.forward_ops;
    return memory.size;
}

/// Whether an operation is one that inference computes too.
constexpr bool is_forward(TrainingKind kind) {
    return kind == TrainingKind::forward || kind == TrainingKind::recompute;
}

/// The step of an operation of a training program; `tensors[v]` is where value v is in memory.
template <class Step, Capacity C, TrainingCapacity T, class Tensor>
constexpr Step lower_training_step(const TrainingProgram<C, T>& program, const TrainingOp& op,
                                   const Tensor (&tensors)[array_bound<T.values>]) {
    using enum TrainingKind;
    const auto tensor_of = [&](int value) { return value >= 0 ? tensors[value] : Tensor{}; };
    const Op& forward_op = program.op_of(op);
    Step training{};
    auto& step = training.step;
    training.kind = op.kind;
    training.gradient = tensor_of(op.gradient);
    training.sum = tensor_of(op.sum);
    training.result = tensor_of(op.result);
    training.layer = op.kind == product_gradient ? forward_op.layer() : forward_op.terms[op.term].layer;
    training.frozen = training.layer >= 0 && program.forward.layers[training.layer].frozen;
    step.kind = forward_op.kind;
    if constexpr (requires { step.function; }) step.function = forward_op.function;
    step.target = tensor_of(op.target);
    step.relu = forward_op.relu || forward_op.kind == OpKind::relu;
    for (int t = 0; t < 2; ++t) {
        step.terms[t].source = tensor_of(op.sources[t]);
        step.terms[t].window = forward_op.terms[t].window;
        step.terms[t].layer = forward_op.terms[t].layer;
    }
    if (is_forward(op.kind)) {
        step.residual = tensor_of(op.residual);
        step.residual_stride = forward_op.residual_stride;
    }
    if (op.kind == product_gradient) training.other = tensor_of(op.sources[1 - op.term]);
    if (op.kind == subsample_gradient || op.kind == spread) {
        const Window& strided = forward_op.terms[op.term].window;
        const bool residual = op.kind == subsample_gradient && forward_op.residual_stride > 1;
        Window window{};
        window.stride_height = residual ? forward_op.residual_stride : strided.stride_height;
        window.stride_width = residual ? forward_op.residual_stride : strided.stride_width;
        step.terms[0].window = window;
    }
    return training;
}

}  // namespace tenon::detail
