#pragma once
// IWYU pragma: private, include <tenon/cuda.hpp>

// From steps of training to launches: the kernels that a step needs.

#include <algorithm>

#include <tenon/backend/cuda/launch/training_map.hpp>
#include <tenon/backend/cuda/launch/training_norm.hpp>
#include <tenon/backend/cuda/launch/training_product.hpp>
#include <tenon/backend/cuda/training/plan.hpp>

namespace tenon::cuda {
inline namespace TENON_ISA_NAMESPACE {

/// Floats of scratch memory that the steps of a plan need for sums.
template <TrainingCapacity T>
constexpr long training_partials(Precision precision, const TrainingPlan<T>& plan, int multiprocessors) {
    return std::max({partial_floats(precision, multiprocessors),
                     weight_gradient_floats(precision, plan.max_weights, multiprocessors),
                     channel_partials(plan.max_channels)});
}

/// The gradients of a layer's weights and, if it has one, of its bias.
template <Precision P, int Vector, int OutputVector, int Pack, class Driver>
void launch_parameter_gradients(const TrainingStep& training, const TrainingFrame<Driver>& frame) {
    launch_weight_gradient<P, Vector, OutputVector>(training, frame);
    launch_bias_gradient<P, Pack>(training, frame);
}

/// A step that inference has too.
template <auto Launch, class Driver>
void launch_inference_step(const TrainingStep& training, const TrainingFrame<Driver>& frame) {
    Launch(training.step, frame.frame);
}

/// The function that launches one step of a training plan; steps that need the same code share it.
template <const auto& Plan, int Index, Precision P, class Driver>
consteval TrainingFunction<Driver> training_step_function() {
    constexpr const TrainingStep& training = Plan.steps[Index];
    constexpr const Step& step = training.step;
    constexpr TrainingKind kind = training.kind;
    constexpr int pack = step.output_vector;
    [[maybe_unused]] constexpr GradientKind gradient_kind = gradient_kind_of(kind, step.kind);
    using enum TrainingKind;
    if constexpr (kind == data_gradient)
        return &launch_training_product<P, step.vector, step.output_vector, Driver>;
    else if constexpr (kind == forward || kind == recompute) {
        using enum OpKind;
        if constexpr (step.is_product())
            return &launch_training_product<P, step.vector, step.output_vector, Driver>;
        else if constexpr (step.kind == batch_norm)
            return &launch_norm<P, pack, Driver>;
        else if constexpr (step.kind == dropout)
            return &launch_dropout<P, Driver>;
        else if constexpr (step.kind == OpKind::scale)
            return &launch_gradient_map<P, pack, gradient_kind, Driver>;
        else if constexpr (step.kind == max_pool || step.kind == average_pool)
            return &launch_inference_step<&launch_pool<P, training.pack, Driver>, Driver>;
        else if constexpr (step.kind == global_average_pool || step.kind == global_max_pool)
            return &launch_inference_step<&launch_global_pool<P, Driver>, Driver>;
        else if constexpr (step.kind == pad_channels)
            return &launch_inference_step<&launch_pad_channels<P, Driver>, Driver>;
        else if constexpr (step.kind == softmax)
            return &launch_inference_step<&launch_softmax<P, Driver>, Driver>;
        else
            // add, relu, multiply, sigmoid
            return &launch_inference_step<&launch_pointwise<P, pack, map_kind_of(step.kind), Driver>, Driver>;
    } else if constexpr (kind == statistics)
        return &launch_statistics<P, training.pack, Driver>;
    else if constexpr (kind == weight_gradient)
        return training.layers[0].bias < 0
                   ? &launch_weight_gradient<P, step.vector, step.output_vector, Driver>
                   : &launch_parameter_gradients<P, step.vector, step.output_vector, training.pack, Driver>;
    else if constexpr (kind == norm_gradient)
        return &launch_norm_gradient<P, training.pack, pack, Driver>;
    else if constexpr (kind == subsample_gradient || kind == spread)
        return &launch_spread<P, Driver>;
    else if constexpr (kind == pool_gradient) {
        using enum OpKind;
        if constexpr (step.kind == global_max_pool)
            return &launch_global_max_gradient<P, Driver>;
        else if constexpr (step.kind == pad_channels || (step.kind == max_pool && !training.source().exists()))
            return &launch_spread<P, Driver>;
        else
            return &launch_pool_gradient<P, training.pack, Driver>;  // of 16 bytes it needs a stack
    } else if constexpr (kind == activation_gradient && step.kind == OpKind::dropout)
        return &launch_dropout<P, Driver>;
    else if constexpr (kind == activation_gradient && step.kind == OpKind::softmax)
        return &launch_softmax_gradient<P, Driver>;
    else
        return &launch_gradient_map<P, pack, gradient_kind, Driver>;
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::cuda
