// The memory plan of a training step: places for the values of one image, as constants.
#pragma once

#include <tenon/program/plan_memory.hpp>
#include <tenon/program/training_program.hpp>

namespace tenon {

/// Offsets of the values of a training program in the arena of one image, in scalars; -1 for values that have none.
template <TrainingCapacity T>
struct TrainingMemoryPlan {
    long offset[array_bound<(T.values > 0 ? T.values : 1)>]{};
    long size = 0;       ///< of the arena
    long kept_size = 0;  ///< of what is kept from forward to backward, at the end of forward
};

/// The operand whose place an operation's result may take, if that dies here: it is read at the pixel that is written,
/// before it is written. -1: none; the second choice is the other one of a pair.
template <Capacity C, TrainingCapacity T>
constexpr int replaceable_operand(const TrainingProgram<C, T>& program, const TrainingOp& op, bool second) {
    using enum TrainingKind;
    switch (op.kind) {
        case forward:
        case recompute: {
            const int operand = replaceable_operand(program.op_of(op));
            if (second || operand < 0) return program.op_of(op).kind == OpKind::add ? op.residual : -1;
            return operand == program.op_of(op).residual ? op.residual : op.sources[0];
        }
        case relu_gradient:
        case activation_gradient:
        case norm_gradient:
        case product_gradient:
        case add_gradient:
            return second ? op.gradient : op.sum;
        case data_gradient:  // these read the gradient at other pixels; a linear layer adds the sum afterwards
            if (program.op_of(op).kind == OpKind::linear) return -1;
            [[fallthrough]];
        case pool_gradient:
        case subsample_gradient:
            return second || op.sum == op.gradient ? -1 : op.sum;
        default:
            return -1;
    }
}

/// Plans where the values of one image live. What is kept for the gradients is a stack: forward pushes, backward pops.
/// Everything else lives briefly and is placed above the stack, each value at the lowest gap. `sizes[v]` is the size of
/// value v in scalars (0: outside of the arena), `same_form(a, b)` says whether one may replace the other in place.
///
/// Law: values that are alive at the same operation don't overlap, but for a result in place of an operand that dies
/// (test: tests/train/training_program_test.cpp).
template <Capacity C, TrainingCapacity T, class SameForm>
constexpr TrainingMemoryPlan<T> plan_training_memory(const TrainingProgram<C, T>& program,
                                                     const long (&sizes)[array_bound<T.values>], SameForm same_form) {
    constexpr long unit = MemoryPlan<C>::alignment;
    const int ops = program.ops.size(), values = program.values.size();
    int birth[array_bound<T.values>]{}, last_use[array_bound<T.values>]{};
    for (int v = 0; v < values; ++v) birth[v] = last_use[v] = -1;
    for (int i = 0; i < ops; ++i) {
        if (program.ops[i].target >= 0) birth[program.ops[i].target] = last_use[program.ops[i].target] = i;
        for_each_operand(program.ops[i], [&](int value) { last_use[value] = i; });
    }
    // The loss stands before the first operation of backward; it reads the output and writes that one's gradient.
    const int loss = program.forward_ops;
    if (last_use[program.output] < loss) last_use[program.output] = loss;
    birth[program.output_gradient] = loss;
    if (last_use[program.output_gradient] < loss) last_use[program.output_gradient] = loss;
    if (program.input_gradient >= 0) last_use[program.input_gradient] = ops;

    TrainingMemoryPlan<T> plan{};
    for (long& offset : plan.offset) offset = -1;
    const auto grow = [&](int value) {
        const long end = plan.offset[value] + sizes[value];
        if (end > plan.size) plan.size = end;
    };
    const auto is_kept = [&](int v) { return birth[v] < loss && last_use[v] >= loss && sizes[v] > 0; };

    // base[i]: the end of the stack that a brief value must stay clear of whose life begins (in backward) or ends (in
    // forward) with operation i.
    long base[array_bound<T.ops + 1>]{};
    long top = 0;
    const auto push = [&](int v) {
        plan.offset[v] = top;
        grow(v);
        top += (sizes[v] + unit - 1) / unit * unit;
    };
    if (is_kept(0)) push(0);
    for (int i = 0; i < loss; ++i) {
        const int target = program.ops[i].target;
        if (target >= 0 && is_kept(target)) push(target);
        base[i] = top;
    }
    plan.kept_size = top;
    for (int v = 0; v < values; ++v)
        if (is_kept(v) && plan.offset[v] + sizes[v] > base[last_use[v] < ops ? last_use[v] : ops])
            base[last_use[v] < ops ? last_use[v] : ops] = plan.offset[v] + (sizes[v] + unit - 1) / unit * unit;
    for (int i = ops - 1; i >= loss; --i)
        if (base[i + 1] > base[i]) base[i] = base[i + 1];

    FixedVector<int, T.values> alive{};  // brief values, in the order of their offsets
    const auto insert = [&](int value, long offset) {
        plan.offset[value] = offset;
        grow(value);
        alive.push_back(value);
        for (int i = alive.size() - 1; i > 0 && plan.offset[alive[i - 1]] > offset; --i) {
            alive[i] = alive[i - 1];
            alive[i - 1] = value;
        }
    };
    const auto floor_of = [&](int value) { return birth[value] < loss ? base[last_use[value]] : base[birth[value]]; };
    const auto place = [&](int value) {
        long offset = floor_of(value);
        for (const int other : alive) {
            if (plan.offset[other] - offset >= sizes[value]) break;
            const long end = plan.offset[other] + (sizes[other] + unit - 1) / unit * unit;
            if (end > offset) offset = end;
        }
        insert(value, offset);
    };
    if (!is_kept(0) && sizes[0] > 0 && last_use[0] >= 0) place(0);
    for (int i = 0; i < ops; ++i) {
        if (i == loss) {
            place(program.output_gradient);
            alive.erase_if([&](int value) { return last_use[value] < i; });
        }
        const TrainingOp& op = program.ops[i];
        if (op.target >= 0 && sizes[op.target] > 0 && !is_kept(op.target)) {
            int operand = -1;
            for (const bool second : {false, true}) {
                const int candidate = operand < 0 ? replaceable_operand(program, op, second) : -1;
                if (candidate >= 0 && last_use[candidate] == i && plan.offset[candidate] >= floor_of(op.target) &&
                    !is_kept(candidate) && same_form(candidate, op.target))
                    operand = candidate;
            }
            if (operand >= 0) {
                alive.erase_if([&](int value) { return value == operand; });
                insert(op.target, plan.offset[operand]);
            } else {
                place(op.target);
            }
        }
        alive.erase_if([&](int value) { return last_use[value] <= i; });
    }
    if (loss == ops) place(program.output_gradient);
    return plan;
}

}  // namespace tenon
