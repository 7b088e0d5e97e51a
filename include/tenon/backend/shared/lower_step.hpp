#pragma once
// IWYU pragma: private, include <tenon/inference.hpp>

// What the steps of all backends take from an operation; each backend adds its layouts and places in memory.

#include <tenon/program/program.hpp>

namespace tenon::detail {

/// The step of operation `index` of a program that add_transfers completed; `tensors[v]` is where value v is in memory.
template <class Step, class Tensor, Capacity C>
constexpr Step lower_step(const Program<C>& program, int index, const Tensor* tensors) {
    const Op& op = program.ops[index];
    Step step{};
    step.kind = op.kind;
    if constexpr (requires { step.function; }) step.function = op.function;
    step.op = index - 1;  // add_transfers put the load before the first operation
    step.residual_stride = op.residual_stride;
    step.relu = op.relu || op.kind == OpKind::relu;  // a ReLU that nothing before it applies
    for (int i = 0; i < 2; ++i) {
        const ConvTerm& term = op.terms[i];
        if (term.source < 0) continue;
        step.terms[i].source = tensors[term.source];
        step.terms[i].window = term.window;
        step.terms[i].layer = term.layer;
        step.terms[i].norm = term.norm;
    }
    if (op.residual >= 0) step.residual = tensors[op.residual];
    if (op.target >= 0) step.target = tensors[op.target];
    if (op.activated >= 0) {
        step.activated = tensors[op.activated];
        step.activated_norm = op.activated_norm;
        step.activated_relu = op.activated_relu;
    }
    // x * scale + shift is an activation of x
    if (traits_of(op.kind).is_affine && !step.activated.exists()) {
        step.activated = step.target;
        step.activated_norm = op.layer();
        step.activated_relu = op.relu;
        step.target = {};
        step.relu = false;
    }
    return step;
}

}  // namespace tenon::detail
