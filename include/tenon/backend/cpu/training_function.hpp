#pragma once
// IWYU pragma: private, include <tenon/training.hpp>

// Which kernel a step of training calls.

#include <tenon/backend/cpu/kernels/channel_ops.hpp>
#include <tenon/backend/cpu/kernels/pool.hpp>
#include <tenon/backend/cpu/training/conv.hpp>
#include <tenon/backend/cpu/training/norm.hpp>
#include <tenon/backend/cpu/training/norm_gradient.hpp>
#include <tenon/backend/cpu/training/pointwise.hpp>
#include <tenon/backend/cpu/training/pool.hpp>
#include <tenon/backend/cpu/training/winograd_weights.hpp>

namespace tenon::cpu {
inline namespace TENON_ISA_NAMESPACE {

/// The kernel of one step of a training plan; steps that need the same code share it.
template <const auto& Plan, int Index>
consteval TrainingFunction training_step_function() {
    constexpr const TrainingStep& training = Plan.steps[Index];
    constexpr const Step& step = training.step;
    constexpr TrainingKind kind = training.kind;
    using enum TrainingKind;
    constexpr bool is_linear = step.kind == OpKind::linear;
    constexpr int rest = step.target.planes() % linear_blocks;
    if constexpr (kind == forward || kind == recompute) {
        using enum OpKind;
        if constexpr (step.kind == conv && step.winograd.m > 0)
            return &run_training_winograd<winograd_spec(step)>;
        else if constexpr (step.kind == conv)
            return &run_training_conv<conv_spec(step)>;
        else if constexpr (is_linear)
            return &run_training_linear<rest>;
        else if constexpr (step.kind == batch_norm)
            return &run_norm;
        else if constexpr (step.kind == dropout)
            return &run_dropout;
        else if constexpr (step.kind == OpKind::scale)
            return &run_training_scale;
        else if constexpr (step.kind == max_pool || step.kind == average_pool)
            return &run_inference_step<run_pool<>>;
        else if constexpr (step.kind == global_average_pool || step.kind == global_max_pool)
            return &run_inference_step<run_global_pool<>>;
        else if constexpr (step.kind == OpKind::multiply)
            return &run_inference_step<run_multiply<>>;
        else if constexpr (traits_of(step.kind).is_elementwise)
            return &run_inference_step<elementwise_kernel<step.kind>()>;
        else if constexpr (step.kind == pad_channels)
            return &run_inference_step<run_pad_channels<>>;
        else if constexpr (step.kind == softmax)
            return &run_inference_step<run_softmax>;
        else
            return &run_inference_step<run_pointwise<>>;  // add, relu
    }
    if constexpr (kind == statistics) return &run_statistics;
    if constexpr (kind == TrainingKind::relu_gradient) return &run_relu_gradient;
    if constexpr (kind == data_gradient && step.winograd.m > 0)
        return &run_training_winograd<winograd_spec(step)>;
    else if constexpr (kind == data_gradient && !is_linear)
        return &run_training_conv<conv_spec(step)>;
    if constexpr (kind == data_gradient && is_linear) return &run_training_linear<rest>;
    if constexpr (kind == weight_gradient && step.winograd.m > 0)
        return &run_winograd_weight_gradient<step.winograd.m>;
    else if constexpr (kind == weight_gradient)
        return is_linear ? &run_linear_weight_gradient : &run_weight_gradient;
    if constexpr (kind == norm_gradient) return &run_norm_gradient;
    if constexpr (kind == pool_gradient)
        return step.kind == OpKind::pad_channels ? &run_pad_channels_gradient : &run_pool_gradient;
    if constexpr (kind == subsample_gradient || kind == spread) return &run_pool_gradient;
    if constexpr (kind == product_gradient) return &run_product_gradient;
    if constexpr (kind == add_gradient) return &run_add_gradient;
    if constexpr (kind == activation_gradient) {
        if constexpr (step.kind == OpKind::relu) return &run_relu_gradient;
        if constexpr (step.kind == OpKind::dropout) return &run_dropout;
        if constexpr (step.kind == OpKind::scale) return &run_training_scale;
        if constexpr (step.kind == OpKind::elementwise)
            return &run_user_function_gradient;
        else if constexpr (traits_of(step.kind).is_elementwise)
            return &run_elementwise_gradient<step.kind>;
        if constexpr (step.kind == OpKind::softmax) return &run_softmax_gradient;
    }
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::cpu
