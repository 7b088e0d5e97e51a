#pragma once
// IWYU pragma: private, include <tenon/report.hpp>

// Records when each worker was in which step of inference; iteration.hpp does so for training.
//
//     const reports::Trace trace = reports::record(model, images);
//     reports::write(trace, "trace.json");     // for ui.perfetto.dev or chrome://tracing
//     reports::write(trace, "trace.svg");

#include <algorithm>
#include <span>
#include <string>
#include <vector>

#include <tenon/core/index.hpp>
#include <tenon/report/trace/processor_peak.hpp>
#include <tenon/report/trace/recorder.hpp>
#include <tenon/report/trace/trace_steps.hpp>

namespace tenon {

/// Reports on runs: traces, and the page about a training or an evaluation. See docs/how_to/reports.md.
namespace reports {
inline namespace TENON_ISA_NAMESPACE {

/// What the workers of a model did, and when. Where a batch has at least two images per worker, each takes images of
/// its own through all steps; else all work on each step together.
struct Trace {
    std::string title;
    int workers = 1;
    double peak = 0;  ///< GFLOP/s that a thread reached with registers only, measured before; 0: not measured
    std::vector<TraceStep> steps;
    std::vector<TraceEvent> events;  ///< by worker, in the order in which they ended

    /// GFLOP/s of a complete step: two operations for each multiply-add as the layer defines it; 0 without any.
    double rate(const TraceEvent& event) const {
        const TraceStep& step = steps[detail::index(event.step)];
        const double work = 2e-9 * static_cast<double>(step.multiply_adds) * event.images;
        return event.seconds() > 0 ? work / event.seconds() : 0;
    }
    /// Bytes that a step must read or write once, for all of its images.
    double bytes(const TraceEvent& event) const {
        const TraceStep& step = steps[detail::index(event.step)];
        return static_cast<double>(step.weight_bytes) +
               static_cast<double>(step.bytes - step.weight_bytes) * event.images;
    }
    /// Whether all workers share the steps.
    bool is_shared() const {
        return std::ranges::all_of(events, [](const TraceEvent& event) { return event.arena == 0; });
    }
};

}  // namespace TENON_ISA_NAMESPACE
}  // namespace reports

namespace detail {
inline namespace TENON_ISA_NAMESPACE {

inline void check_calls(int calls) {
    if (calls < 1) throw Error("a trace takes 1 or more calls, not " + std::to_string(calls));
}

/// Gives a trace the events of the quickest of `calls` calls of call(recording).
template <class Call>
void keep_quickest(reports::Trace& trace, int calls, std::size_t events, const Call& call) {
    double quickest = 0;
    for (int i = 0; i < calls; ++i) {
        TraceRecording recording{trace.workers, events};
        call(recording);
        const double seconds = recording.seconds();
        if (i > 0 && seconds >= quickest) continue;
        quickest = seconds;
        trace.events = recording.events();
    }
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace detail

namespace reports {
inline namespace TENON_ISA_NAMESPACE {

/// Records `calls` calls of a model, after one that warms it up, and gives the quickest. A call that is not recorded
/// runs the same code as ever, and a recorded one gives the same bits (test: tests/report/trace_test.cpp). Throws
/// tenon::Error for less than one call, and whenever a call of the model would.
template <class Net>
Trace record(Model<Net, Cpu>& model, std::span<const float> images, int calls = 5) {
    detail::check_calls(calls);
    using Compiled = cpu::CompiledNetwork<Net>;
    std::vector<float> results(model(images).size());
    Trace trace;
    trace.workers = model.threads();
    trace.peak = detail::measured_peak();
    const auto& plan = Compiled::plan;
    trace.steps = detail::trace_steps(step_profiles<Net>(), {plan.steps.begin(), plan.steps.end()},
                                      {plan.followers.begin(), plan.followers.end()}, plan.joint,
                                      {plan.handovers.begin(), plan.handovers.end()});
    const std::size_t count = images.size() / detail::index(input_shape<Net>.elements());
    detail::keep_quickest(trace, calls, 4 * count * trace.steps.size(), [&](detail::TraceRecording& recording) {
        model.record(images, results, recording.team(), recording.threads());
    });
    return trace;
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace reports

}  // namespace tenon
