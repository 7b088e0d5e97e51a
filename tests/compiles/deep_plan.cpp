// The plans of the deepest network, evaluated with half of the steps that Clang allows a constant by default.
#include <tenon/backend/cpu/plan/plan.hpp>
#include <tenon/backend/cpu/plan/training.hpp>
#include <tenon/engine/training_options.hpp>
#include <tenon/models/resnet_v2.hpp>
#include <tenon/program/passes/compact_projections.hpp>
#include <tenon/program/passes/optimize.hpp>

using namespace tenon;
using Net = ResNet152V2<>;

constexpr auto inference_program =
    detail::compact_projections(detail::optimize(lowered<Net>, cpu::JoinsUnlessWinograd{cpu::ConvAlgorithm::fast}));
constexpr auto inference = cpu::Planner<detail::capacity<Net>>{inference_program, cpu::ConvAlgorithm::fast}.plan();
static_assert(inference.steps.size() > 100);

constexpr const auto& program = detail::training_program<Net, detail::DifferentiationOptions{.spread_strides = true}>;
constexpr auto training = cpu::TrainingPlanner{program, cpu::ConvAlgorithm::fast}.plan();
static_assert(training.steps.size() > 1000);
