#pragma once
// IWYU pragma: private, include <tenon/inference.hpp>

// Which kernel a step of a quantized network calls.

#include <tenon/backend/cpu/quantized/bfloat16_pointwise.hpp>
#include <tenon/backend/cpu/quantized/strassen.hpp>
#include <tenon/backend/cpu/quantized/winograd.hpp>
#include <tenon/backend/cpu/step_function.hpp>

namespace tenon::cpu {
inline namespace TENON_ISA_NAMESPACE {

/// Runs a kernel of floats on a step whose operands and results are floats, and makes the codes of its results.
template <class End, StepFunction Function>
void run_in_floats(const QuantizedStep& step, const Frame& frame) {
    Function(step, frame);
    make_codes<End>(step, frame);
}

/// The kernel of one step of a plan, whose results `End` stores; steps that need the same code share it.
template <const auto& Plan, int Index, class End>
consteval QuantizedFunction quantized_function() {
    constexpr const QuantizedStep& step = Plan.steps[Index];
    using enum OpKind;
    if constexpr (step.winograd.m > 0)
        return &run_quantized_winograd<quantized_winograd_spec(step)>;
    else if constexpr (step.is_packed && step.pair_floats > 0)
        return &run_quantized_strassen<quantized_tile_spec(step, step.grid.big, 1, panel_blocks)>;
    else if constexpr (step.is_packed)
        return &run_quantized_conv<quantized_conv_spec(step)>;
    else if constexpr (step.kind == conv)
        return &run_in_floats<End, &run_conv<conv_spec(step)>>;
    if constexpr (step.kind == load_input && step.target_codes.exist()) return &run_load_codes<End>;
    if constexpr (step.kind == max_pool && step.source_codes.only_pooled) return &run_max_pool_of_codes;
    if constexpr (step.kind == max_pool || step.kind == average_pool) return &run_pool<End, QuantizedStep>;
    if constexpr (step.kind == global_average_pool || step.kind == global_max_pool)
        return &run_global_pool<End, QuantizedStep>;
    if constexpr (step.kind == add || step.kind == batch_norm || step.kind == relu || step.kind == OpKind::scale)
        return &run_pointwise<End, QuantizedStep>;
    if constexpr (step.kind == OpKind::multiply) return &run_multiply<End, QuantizedStep>;
    if constexpr (traits_of(step.kind).is_elementwise) return elementwise_kernel<step.kind, End, QuantizedStep>();
    if constexpr (step.kind == pad_channels) return &run_pad_channels<End, QuantizedStep>;
    if constexpr (step.kind == linear && !step.is_packed)
        return &run_in_floats<End, &run_linear<step.target.planes() % linear_blocks>>;
    if constexpr (step.kind == softmax) return &run_in_floats<End, &run_softmax>;
    if constexpr (step.kind == load_input && !step.target_codes.exist()) return &run_in_floats<End, &run_load_input>;
    if constexpr (step.kind == store_output) return &run_in_floats<End, &run_store_output>;
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::cpu
