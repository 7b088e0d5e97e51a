#pragma once
// IWYU pragma: private, include <tenon/report.hpp>

// Records when each worker was in which step of a training iteration.

#include <algorithm>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <tenon/core/index.hpp>
#include <tenon/engine/cpu_training.hpp>
#include <tenon/report/trace/trace.hpp>

namespace tenon {

namespace detail {
inline namespace TENON_ISA_NAMESPACE {

/// What a training step computes of its operation; nothing for the operation itself.
constexpr std::string_view part_name(TrainingKind kind) {
    switch (kind) {
        case TrainingKind::forward:
            return "";
        case TrainingKind::recompute:
            return "recomputed";
        case TrainingKind::statistics:
            return "statistics";
        case TrainingKind::relu_gradient:
            return "ReLU gradient";
        case TrainingKind::data_gradient:
            return "data gradient";
        case TrainingKind::weight_gradient:
            return "weight gradient";
        case TrainingKind::subsample_gradient:
            return "spread gradient";
        case TrainingKind::add_gradient:
            return "sum of gradients";
        case TrainingKind::spread:
            return "spread";
        default:
            return "gradient";
    }
}

/// The steps of a training iteration. A gradient of a convolution takes as many multiply-adds as the convolution.
inline std::vector<reports::TraceStep> trace_steps(std::span<const TrainingOp> ops, std::span<const Op> forward,
                                                   std::span<const LayerInfo> layers,
                                                   std::span<const Parameter> parameters,
                                                   std::span<const cpu::TrainingStep> steps, const cpu::Tensor& input) {
    std::vector<ArenaUse> uses;
    std::vector<reports::TraceStep> result;
    const auto shape_of = [](const cpu::Tensor& tensor) {
        return tensor.pixels() == 1 ? Shape{tensor.channels} : Shape{tensor.channels, tensor.height, tensor.width};
    };
    for (std::size_t i = 0; i < steps.size(); ++i) {
        const cpu::TrainingStep& step = steps[i];
        const TrainingOp& op = ops[i];
        Op own = forward[index(op.op)];
        ArenaUse use;
        use.reads = places_of({&step.step.terms[0].source, &step.step.terms[1].source, &step.step.residual,
                               &step.gradient, &step.sum, &step.result, &step.other});
        // The target of a weight gradient's step is the gradient that it reads.
        if (op.kind != TrainingKind::weight_gradient) use.writes = places_of({&step.step.target, &step.step.activated});
        uses.push_back(use);

        reports::TraceStep described;
        const std::string_view part = part_name(op.kind);
        const int layer = step.layer >= 0 ? step.layer : own.layer();
        described.name = layer >= 0 ? layer_name(layers, layer) : std::string(op_name(own.kind));
        described.kind = kind_of(step.step);
        if (!part.empty()) {
            described.name.append(": ").append(part);
            described.kind.append(" ").append(part);
        }
        const bool is_gradient = op.kind == TrainingKind::data_gradient || op.kind == TrainingKind::weight_gradient;
        if (is_gradient) {
            if (op.term == 1) own.terms[0] = own.terms[1];
            own.terms[1] = {};
        }
        if (is_gradient || is_forward(op.kind)) described.multiply_adds = multiply_adds_of(layers, parameters, own);
        described.saves_products = step.step.winograd.m > 0;
        const cpu::Tensor& source = step.source().exists() ? step.source() : step.gradient;
        described.input = shape_of(source);
        described.output = shape_of(step.step.result().exists() ? step.step.result() : source);
        for (const auto* places : {&use.reads, &use.writes})
            for (const ArenaPlace& place : *places) described.bytes += place.floats * long{sizeof(float)};
        result.push_back(described);
    }
    const std::vector<long> live = live_floats(uses, {{input.offset, input.floats()}});
    for (std::size_t i = 0; i < result.size(); ++i) result[i].arena_bytes = live[i] * long{sizeof(float)};
    return result;
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace detail

namespace reports {
inline namespace TENON_ISA_NAMESPACE {

/// Options of record_iteration.
struct IterationOptions {
    int threads = 0;  ///< 0: one per core this process may use
    int calls = 3;    ///< that are recorded; the quickest is given
};

/// Records the forward and backward steps of a training iteration on a batch, after one that warms up; the parameters
/// given remain as they are. Throws tenon::Error for a batch or labels that don't fit, and for less than one call.
template <class Net>
Trace record_iteration(const Parameters<Net>& parameters, std::span<const float> images, std::span<const int> labels,
                       const IterationOptions& options = {}) {
    detail::check_calls(options.calls);
    using Engine = cpu::TrainingEngine<Net>;
    using Compiled = typename Engine::Compiled;
    Engine engine{std::max(1, static_cast<int>(labels.size())), {.threads = options.threads}};
    std::ranges::copy(parameters.values(), engine.parameters().values().begin());
    engine.forward_backward(images, labels);
    Trace trace;
    trace.workers = engine.threads();
    trace.peak = detail::measured_peak();
    const auto& program = Compiled::program;
    const auto& plan = Compiled::plan;
    trace.steps = detail::trace_steps({program.ops.begin(), program.ops.end()},
                                      {program.forward.ops.begin(), program.forward.ops.end()},
                                      {program.forward.layers.begin(), program.forward.layers.end()},
                                      {program.forward.parameters.begin(), program.forward.parameters.end()},
                                      {plan.steps.begin(), plan.steps.end()}, plan.input);
    detail::keep_quickest(trace, options.calls, 4 * trace.steps.size(), [&](detail::TraceRecording& recording) {
        engine.record_with(&recording.team());
        engine.forward_backward(images, labels);
        engine.record_with(nullptr);
    });
    return trace;
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace reports

}  // namespace tenon
