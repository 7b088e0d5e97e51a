#pragma once
// IWYU pragma: private, include <tenon/inference.hpp>

// What the compiler makes of a network for the CPU: a program, a plan and a table of kernels.

#include <span>
#include <utility>

#include <tenon/backend/cpu/kernels/pack_weights.hpp>
#include <tenon/backend/cpu/step_function.hpp>
#include <tenon/core/fixed_vector.hpp>
#include <tenon/program/passes/compact_projections.hpp>
#include <tenon/program/passes/optimize.hpp>
#include <tenon/topology/network.hpp>

namespace tenon::cpu {
inline namespace TENON_ISA_NAMESPACE {

/// A network's optimized program, its plan for the CPU and the kernels of its steps.
template <class Net, ConvAlgorithm Algorithm = ConvAlgorithm::fast>
class CompiledNetwork {
public:
    static constexpr auto program = compact_projections(optimize(lowered<Net>, JoinsUnlessWinograd{Algorithm}));

private:
    // Of the size that any plan of the program may have. Not inside of a function: it would be evaluated twice.
    static constexpr auto complete_plan = Planner<capacity<Net>>{program, Algorithm}.plan();

public:
    static constexpr auto plan =
        complete_plan.template trimmed<complete_plan.steps.size(), complete_plan.followers.size(),
                                       complete_plan.handovers.size()>();
    static constexpr int steps = plan.steps.size();
    static_assert(plan.chains_are_single(), "tenon: a step on all images together has no followers in its frame");

    /// The kernels, one per step.
    static constexpr auto functions = []<int... I>(std::integer_sequence<int, I...>) {
        return FixedVector<StepFunction, steps>{{step_function<plan, I>()...}, steps};
    }
    (std::make_integer_sequence<int, steps>{});

    /// The packer of weights; `tensors[i]` points to parameter i of the network.
    static WeightPacker packer(std::span<const float* const> tensors) {
        const auto& lowered_program = lowered<Net>;
        return WeightPacker{{lowered_program.layers.begin(), lowered_program.layers.end()},
                            {lowered_program.parameters.begin(), lowered_program.parameters.end()},
                            tensors};
    }
};

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::cpu
