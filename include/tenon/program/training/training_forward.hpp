#pragma once
// IWYU pragma: private, include <tenon/training.hpp>

// Pass: the forward program of a training iteration.

#include <tenon/program/passes/fuse_add.hpp>
#include <tenon/program/passes/fuse_relu.hpp>
#include <tenon/program/passes/simplify.hpp>

namespace tenon::detail {

/// Drops flattenings, as simplify() does for inference, and a softmax at the end, which the loss contains. Dropouts
/// stay.
template <Capacity C>
constexpr Program<C> simplify_for_training(const Program<C>& program) {
    return drop_ops(program, [output = program.output](const Op& op) {
        return op.kind == OpKind::flatten || (op.kind == OpKind::softmax && op.target == output);
    });
}

/// What a training iteration computes forward: batch norms stay apart from the convolutions, as their statistics depend
/// on the batch; ReLUs and additions are fused as for inference.
template <Capacity C>
constexpr Program<C> training_forward(const Program<C>& program) {
    return fuse_relu(fuse_add(fuse_relu(simplify_for_training(program))));
}

/// The same where each convolution is an operation of its own, whatever its results are added to.
template <Capacity C>
constexpr Program<C> training_forward_unjoined(const Program<C>& program) {
    return fuse_relu(fuse_add(fuse_relu(simplify_for_training(program)),
                              [](const Program<C>&, const Op&, const Op&) { return false; }));
}

}  // namespace tenon::detail
