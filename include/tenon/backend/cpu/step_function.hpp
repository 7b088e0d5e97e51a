#pragma once
// IWYU pragma: private, include <tenon/inference.hpp>

// Which kernel a step of inference calls.

#include <tenon/backend/cpu/kernels/channel_ops.hpp>
#include <tenon/backend/cpu/kernels/conv_chain.hpp>
#include <tenon/backend/cpu/kernels/linear.hpp>
#include <tenon/backend/cpu/kernels/pool_chain.hpp>
#include <tenon/backend/cpu/kernels/transfer.hpp>
#include <tenon/backend/cpu/winograd/step.hpp>

namespace tenon::cpu {
inline namespace TENON_ISA_NAMESPACE {

/// The kernel of one step of a plan; steps that need the same code share it.
template <const auto& Plan, int Index>
consteval StepFunction step_function() {
    constexpr const Step& step = Plan.steps[Index];
    using enum OpKind;
    if constexpr (step.kind == conv && step.winograd.m > 0)
        return &run_winograd<winograd_spec(step)>;
    else if constexpr (step.kind == conv && step.follower >= 0 && Plan.followers[step.follower].kind == conv)
        return &run_chain<conv_spec(step), conv_spec(Plan.followers[step.follower])>;
    else if constexpr (step.kind == conv && step.follower >= 0)
        return &run_pool_chain<conv_spec(step)>;
    else if constexpr (step.kind == conv)
        return &run_conv<conv_spec(step)>;
    if constexpr (step.kind == linear) return &run_linear<step.target.planes() % linear_blocks>;
    if constexpr (step.kind == max_pool || step.kind == average_pool) return &run_pool<>;
    if constexpr (step.kind == global_average_pool || step.kind == global_max_pool) return &run_global_pool<>;
    if constexpr ((step.kind == batch_norm || step.kind == OpKind::scale) && step.source().planar)
        return &run_planar_norm;
    else if constexpr (step.kind == add || step.kind == batch_norm || step.kind == relu || step.kind == OpKind::scale)
        return &run_pointwise<>;
    if constexpr (step.kind == OpKind::multiply) return &run_multiply<>;
    if constexpr (traits_of(step.kind).is_elementwise) return elementwise_kernel<step.kind>();
    if constexpr (step.kind == pad_channels) return &run_pad_channels<>;
    if constexpr (step.kind == softmax) return &run_softmax;
    if constexpr (step.kind == load_input) return &run_load_input;
    if constexpr (step.kind == store_output) return &run_store_output;
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::cpu
