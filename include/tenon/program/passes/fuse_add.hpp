#pragma once
// IWYU pragma: private, include <tenon/inference.hpp>

// Pass: let a convolution's accumulators take over the addition after it: a residual, a subsampled one, or a
// projection.

#include <utility>

#include <tenon/program/uses.hpp>

namespace tenon::detail {

/// Whether an operation is a convolution that can become a term of a sum; one that reads the network's input cannot, as
/// its operand has another layout.
constexpr bool is_term(const Op* op) { return op && op->kind == OpKind::conv && is_bare(*op) && op->source() != 0; }

/// Whether an operation can become a residual that is read with a stride.
constexpr bool is_strided_residual(const Op* op) {
    return op && op->is_subsampling() && is_bare(*op) && op->window().stride_height == op->window().stride_width;
}

/// conv + x becomes one operation in the addition's place. What x is decides how:
/// - any value: it becomes the operation's residual.
/// - a subsampled value, which nobody else reads: the residual is read with a stride.
/// - another convolution, which nobody else reads, where joins(program, conv, other) says that a backend computes the
///   two better together: its products go into the same accumulators.
template <Capacity C, class Joins>
constexpr Program<C> fuse_add(Program<C> program, Joins joins) {
    const Uses<C> uses{program};
    for (Op& add : program.ops) {
        if (add.kind != OpKind::add) continue;
        Op* body = uses.sole_producer(program, add.source());
        Op* other = uses.sole_producer(program, add.residual);
        int other_value = add.residual;
        if (!is_term(body)) {
            if (!is_term(other)) continue;
            Op* swapped = body;
            body = other;
            other = swapped;
            other_value = add.source();
        }
        Op fused = *body;
        fused.target = add.target;
        fused.relu = add.relu;
        if (is_term(other) && joins(std::as_const(program), *body, *other)) {
            fused.terms[1] = other->terms[0];
            other->target = -1;
        } else if (is_strided_residual(other)) {
            fused.residual = other->source();
            fused.residual_stride = other->window().stride_height;
            other->target = -1;
        } else {
            fused.residual = other_value;
        }
        body->target = -1;
        add = fused;
    }
    erase_dead(program);
    return program;
}

/// The same, joining every pair of convolutions.
template <Capacity C>
constexpr Program<C> fuse_add(const Program<C>& program) {
    return fuse_add(program, [](const Program<C>&, const Op&, const Op&) { return true; });
}

}  // namespace tenon::detail
