// The memory plan: where in one arena each value of a program lives, as constants.
#pragma once

#include <tenon/program/uses.hpp>

namespace tenon {

/// Offsets of the values in an arena, in scalars; -1 for values that are not stored in it.
template <Capacity C>
struct MemoryPlan {
    long offset[C.values + 2]{};
    long size = 0;  ///< of the arena

    static constexpr long alignment = 16;  ///< scalars: a cache line of floats
};

/// The operand whose place an operation's raw result may take: what it adds or maps pixel by pixel, read before it is
/// written at the same place. -1 if there is none. The sources of convolutions and poolings are read at other pixels
/// too.
constexpr int replaceable_operand(const Op& op) {
    using enum OpKind;
    const bool read_elsewhere = op.residual == op.terms[0].source || op.residual == op.terms[1].source;
    if (op.kind == conv) return op.residual_stride == 1 && !read_elsewhere ? op.residual : -1;
    if (op.kind == add || op.kind == batch_norm || op.kind == relu || op.kind == scale || op.kind == multiply ||
        op.kind == sigmoid)
        return op.source();
    return -1;
}

/// Plans where values live. `sizes[v]` is the size of value v in scalars, 0 for values outside of the arena (the user's
/// input); `same_form(a, b)` says whether two values have the same layout, so that one may replace the other in place.
///
/// Law: values that are alive at the same operation don't overlap, but for a result in place of an operand that dies
/// (test: tests/program/plan_memory_test.cpp). Values are placed in the order they are written, each at the lowest gap.
template <Capacity C, class SameForm>
constexpr MemoryPlan<C> plan_memory(const Program<C>& program, const long (&sizes)[C.values + 2], SameForm same_form) {
    int last_use[C.values + 2]{};
    for (int i = 0; i < program.ops.size(); ++i)
        for_each_operand(program.ops[i], [&](int value) { last_use[value] = i; });
    last_use[program.output] = program.ops.size();

    MemoryPlan<C> plan{};
    for (long& offset : plan.offset) offset = -1;
    FixedVector<int, C.values + 2> alive{};  // in the order of their offsets
    const auto insert = [&](int value, long offset) {
        plan.offset[value] = offset;
        if (offset + sizes[value] > plan.size) plan.size = offset + sizes[value];
        alive.push_back(value);
        for (int i = alive.size() - 1; i > 0 && plan.offset[alive[i - 1]] > offset; --i) {
            alive[i] = alive[i - 1];
            alive[i - 1] = value;
        }
    };
    const auto place = [&](int value) {
        constexpr long unit = MemoryPlan<C>::alignment;
        long offset = 0;
        for (const int other : alive) {
            if (plan.offset[other] - offset >= sizes[value]) break;
            const long end = plan.offset[other] + (sizes[other] + unit - 1) / unit * unit;
            if (end > offset) offset = end;
        }
        insert(value, offset);
    };
    for (int i = 0; i < program.ops.size(); ++i) {
        const Op& op = program.ops[i];
        const int operand = replaceable_operand(op);
        if (operand >= 0 && op.target >= 0 && last_use[operand] == i && plan.offset[operand] >= 0 &&
            same_form(operand, op.target)) {
            alive.erase_if([&](int value) { return value == operand; });
            insert(op.target, plan.offset[operand]);
        } else if (op.target >= 0 && sizes[op.target] > 0) {
            place(op.target);
        }
        if (op.activated >= 0 && sizes[op.activated] > 0) place(op.activated);
        alive.erase_if([&](int value) { return last_use[value] <= i; });
    }
    return plan;
}

}  // namespace tenon
