#pragma once
// IWYU pragma: private, include <tenon/report.hpp>

// What the steps of a trace are: names, work and the memory that is in use.

#include <span>
#include <string>
#include <vector>

#include <tenon/core/index.hpp>
#include <tenon/report/profile.hpp>
#include <tenon/report/trace/live_values.hpp>

namespace tenon {

namespace reports {
inline namespace TENON_ISA_NAMESPACE {

/// A step of a trace.
struct TraceStep : StepProfile {
    std::string kind;      ///< `conv`, `max_pool`; in training with the part it computes, `conv weight gradient`
    long arena_bytes = 0;  ///< of the values that are in use during the step, per image that is in flight
};

}  // namespace TENON_ISA_NAMESPACE
}  // namespace reports

namespace detail {
inline namespace TENON_ISA_NAMESPACE {

inline std::vector<ArenaPlace> places_of(std::initializer_list<const cpu::Tensor*> tensors) {
    std::vector<ArenaPlace> places;
    for (const cpu::Tensor* tensor : tensors)
        if (tensor->exists() && !tensor->is_strip()) places.push_back({tensor->offset, tensor->floats()});
    return places;
}

inline std::string kind_of(const cpu::Step& step) {
    std::string kind{op_name(step.kind)};
    if (step.winograd.m > 0) kind += " (Winograd)";
    if (step.pair_floats > 0) kind += " (Strassen)";
    return kind;
}

/// The steps of inference: those before `joint` are in an arena for one image, from which `handovers` take values.
inline std::vector<reports::TraceStep> trace_steps(std::span<const StepProfile> profiles,
                                                   std::span<const cpu::Step> steps,
                                                   std::span<const cpu::Step> followers, int joint,
                                                   std::span<const cpu::Handover> handovers) {
    std::vector<ArenaUse> uses;
    for (const cpu::Step& step : steps) {
        ArenaUse use;
        const auto add = [&](const cpu::Step& part) {
            for (const ArenaPlace& place : places_of({&part.terms[0].source, &part.terms[1].source, &part.residual}))
                use.reads.push_back(place);
            for (const ArenaPlace& place : places_of({&part.target, &part.activated})) use.writes.push_back(place);
        };
        add(step);
        if (step.follower >= 0) add(followers[index(step.follower)]);
        uses.push_back(use);
    }
    std::vector<ArenaPlace> leaving, arriving;
    for (const cpu::Handover& value : handovers) {
        leaving.push_back({value.from, value.floats});
        arriving.push_back({value.to, value.floats});
    }
    std::vector<long> live = live_floats({uses.begin(), uses.begin() + joint}, {}, leaving);
    for (const long floats : live_floats({uses.begin() + joint, uses.end()}, arriving)) live.push_back(floats);
    std::vector<reports::TraceStep> result;
    for (std::size_t i = 0; i < steps.size(); ++i)
        result.push_back({profiles[i], kind_of(steps[i]), live[i] * long{sizeof(float)}});
    return result;
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace detail

}  // namespace tenon
