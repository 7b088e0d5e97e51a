#pragma once
// IWYU pragma: private, include <tenon/inference.hpp>

// Pass: drop what does nothing at inference: dropouts and flattenings.

#include <tenon/program/uses.hpp>

namespace tenon::detail {

/// Drops the operations for which is_dropped(op) holds: what read their result reads their source.
template <Capacity C, class IsDropped>
constexpr Program<C> drop_ops(Program<C> program, IsDropped is_dropped) {
    int same_as[array_bound<C.values + 2>];
    for (int i = 0; i < program.values.size(); ++i) same_as[i] = i;
    for (Op& op : program.ops) {
        for (ConvTerm& term : op.terms)
            if (term.source >= 0) term.source = same_as[term.source];
        if (op.residual >= 0) op.residual = same_as[op.residual];
        if (!is_dropped(op)) continue;
        same_as[op.target] = op.source();
        op.target = -1;
    }
    program.output = same_as[program.output];
    erase_dead(program);
    return program;
}

/// Drops dropouts and flattenings. A flattened map keeps its storage, and what reads it as a vector (a linear layer,
/// the result) knows that order; from here on the shape of a value is its storage's.
template <Capacity C>
constexpr Program<C> simplify(const Program<C>& program) {
    return drop_ops(program, [](const Op& op) { return op.kind == OpKind::dropout || op.kind == OpKind::flatten; });
}

}  // namespace tenon::detail
