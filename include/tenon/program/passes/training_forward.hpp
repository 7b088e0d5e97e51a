// Pass: the forward program of a training step.
#pragma once

#include <tenon/program/passes/fuse_add.hpp>
#include <tenon/program/passes/fuse_relu.hpp>

namespace tenon {

/// Drops flattenings, as simplify() does for inference, and a softmax at the end, which the loss contains. Dropouts
/// stay.
template <Capacity C>
constexpr Program<C> simplify_for_training(Program<C> program) {
    int same_as[array_bound<C.values + 2>];
    for (int i = 0; i < program.values.size(); ++i) same_as[i] = i;
    for (Op& op : program.ops) {
        for (ConvTerm& term : op.terms)
            if (term.source >= 0) term.source = same_as[term.source];
        if (op.residual >= 0) op.residual = same_as[op.residual];
        const bool last_softmax = op.kind == OpKind::softmax && op.target == program.output;
        if (op.kind != OpKind::flatten && !last_softmax) continue;
        same_as[op.target] = op.source();
        op.target = -1;
    }
    program.output = same_as[program.output];
    erase_dead(program);
    return program;
}

/// What a training step computes forward: batch norms stay apart from the convolutions, as their statistics depend on
/// the batch; ReLUs and additions are fused as for inference.
template <Capacity C>
constexpr Program<C> training_forward(const Program<C>& program) {
    return fuse_relu(fuse_add(fuse_relu(simplify_for_training(program))));
}

}  // namespace tenon
