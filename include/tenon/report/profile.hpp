#pragma once
// IWYU pragma: private, include <tenon/report.hpp>

// profile: how long each step of a model takes, and at which rate it computes.

#include <algorithm>
#include <cstdio>
#include <span>
#include <string>
#include <vector>

#include <tenon/core/index.hpp>
#include <tenon/core/number_text.hpp>
#include <tenon/report/operation_name.hpp>
#include <tenon/report/summary.hpp>
#include <tenon/runtime/model.hpp>

namespace tenon {
inline namespace TENON_ISA_NAMESPACE {

/// One step of a model on the CPU: what it does, its size, and the time it took.
struct StepProfile {
    std::string name;             ///< the layers it computes, `stack0.block1.body.conv2 + stack0.block1.shortcut.conv0`
    Shape input, output;          ///< of one image
    long multiply_adds = 0;       ///< per image, as the layers define them
    long bytes = 0;               ///< of tensors and weights that it must read or write once, per image
    long weight_bytes = 0;        ///< of these, weights: a step on several images reads them once
    double seconds = 0;           ///< per image: the median over the runs
    bool saves_products = false;  ///< Winograd or Strassen computes it with fewer products than `multiply_adds` counts
};

}  // namespace TENON_ISA_NAMESPACE

namespace detail {
inline namespace TENON_ISA_NAMESPACE {

/// The profiles of a plan's steps, without times; the same code for all networks. `ops`, `layers` and `parameters` are
/// those of the program that was planned.
inline std::vector<StepProfile> step_profiles(std::span<const Op> ops, std::span<const LayerInfo> layers,
                                              std::span<const Parameter> parameters, std::span<const cpu::Step> steps,
                                              std::span<const cpu::Step> followers) {
    const auto shape_of = [](const cpu::Tensor& tensor) {
        return tensor.pixels() == 1 ? Shape{tensor.channels} : Shape{tensor.channels, tensor.height, tensor.width};
    };
    std::vector<StepProfile> profiles;
    for (const cpu::Step& step : steps) {
        const bool transfer = traits_of(step.kind).is_transfer;
        const cpu::Step* const follower = step.follower < 0 ? nullptr : &followers[index(step.follower)];
        const cpu::Tensor& first = step.kind == OpKind::load_input ? step.target : step.source();
        const cpu::Tensor& last = follower                 ? follower->result()
                                  : step.result().exists() ? step.result()
                                                           : step.source();
        StepProfile profile;
        profile.input = shape_of(first);
        profile.output = shape_of(last);
        if (transfer) profile.name = std::string(op_name(step.kind));
        long floats = 0, weights = 0;
        for (const cpu::Step* part : {&step, follower}) {
            if (!part) continue;
            if (!transfer) {
                const Op& op = ops[index(part->op)];
                if (part == follower) profile.name += ", ";
                profile.name += operation_name(op, layers);
                if (const ConvTerm* second = op.second_convolution())
                    profile.name += " + " + layer_name(layers, second->layer);
                if (op.is_subsampling()) profile.name += ", subsampled";
                profile.multiply_adds += multiply_adds_of(layers, parameters, op);
            }
            const cpu::Tensor &source = part->terms[0].source, &second = part->terms[1].source;
            const bool same_source = second.exists() && second.offset == source.offset;
            for (const cpu::Tensor* tensor : {&source, &second, &part->residual, &part->target, &part->activated})
                if (tensor->exists() && !tensor->is_strip() && !(same_source && tensor == &second))
                    floats += long{tensor->channels} * tensor->pixels();
            if (part->kind == OpKind::conv) weights += part->panel_floats * part->panels;
            if (part->winograd.m > 0 || part->pair_floats > 0) profile.saves_products = true;
        }
        if (step.kind == OpKind::linear) weights += step.source().floats() * step.target.channels;
        profile.weight_bytes = weights * long{sizeof(float)};
        profile.bytes = (floats + weights) * long{sizeof(float)};
        profiles.push_back(profile);
    }
    return profiles;
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace detail

inline namespace TENON_ISA_NAMESPACE {

/// The steps of a network on the CPU, without times: names, sizes and work.
template <class Net, cpu::ConvAlgorithm Algorithm = cpu::ConvAlgorithm::fast>
std::vector<StepProfile> step_profiles() {
    using Compiled = cpu::CompiledNetwork<Net, Algorithm>;
    const auto& program = Compiled::program;
    return detail::step_profiles({program.ops.begin(), program.ops.end()},
                                 {program.layers.begin(), program.layers.end()},
                                 {program.parameters.begin(), program.parameters.end()},
                                 {Compiled::plan.steps.begin(), Compiled::plan.steps.end()},
                                 {Compiled::plan.followers.begin(), Compiled::plan.followers.end()});
}

/// Runs a model `runs` times on a batch and gives each step's median time per image. Throws tenon::Error for less than
/// one run, and whenever a call of the model would.
template <class Net>
std::vector<StepProfile> profile(Model<Net, Cpu>& model, std::span<const float> images, int runs = 10) {
    if (runs < 1) throw Error("a profile takes 1 or more runs, not " + std::to_string(runs));
    std::vector<StepProfile> profiles = step_profiles<Net>();
    std::vector<std::vector<double>> times(profiles.size());
    const double count = static_cast<double>(images.size()) / static_cast<double>(input_shape<Net>.elements());
    model.profile(images);  // the first run also touches memory and wakes threads
    for (int run = 0; run < runs; ++run) {
        const std::vector<double> seconds = model.profile(images);
        for (std::size_t i = 0; i < times.size(); ++i) times[i].push_back(seconds[i] / count);
    }
    for (std::size_t i = 0; i < times.size(); ++i) {
        std::sort(times[i].begin(), times[i].end());
        profiles[i].seconds = times[i][times[i].size() / 2];
    }
    return profiles;
}

/// A table of profiles with a heading: for each step its time per image, its share of the time of all steps, and its
/// rate, counting the layers' multiply-adds. A note explains rates above 100 % of the processor's peak, where there may
/// be some.
inline std::string to_string(std::span<const StepProfile> profiles) {
    double total = 0;
    long multiply_adds = 0;
    std::size_t widest = 40;
    bool saves_products = false;
    for (const StepProfile& profile : profiles) {
        total += profile.seconds;
        multiply_adds += profile.multiply_adds;
        widest = std::max(widest, profile.name.size());
        saves_products = saves_products || profile.saves_products;
    }
    std::string text;
    const auto add = [&](const std::string& name, const std::string& in, const std::string& out,
                         const std::string& time, const std::string& share, const std::string& rate) {
        char columns[128];
        std::snprintf(columns, sizeof columns, "  %-16s %-16s %10s %9s %10s", in.c_str(), out.c_str(), time.c_str(),
                      share.c_str(), rate.c_str());
        text += name + std::string(widest - name.size(), ' ') + columns;
        text.erase(text.find_last_not_of(' ') + 1);
        text += '\n';
    };
    const auto number = [](const char* pattern, double value) { return detail::formatted(pattern, value); };
    const auto add_times = [&](const std::string& name, const std::string& in, const std::string& out, double seconds,
                               long work, const char* mark) {
        const double rate = seconds > 0 ? 2e-9 * static_cast<double>(work) / seconds : 0;
        add(name, in, out, number("%.3f", seconds * 1e3), number("%.1f", total > 0 ? 100 * seconds / total : 0),
            (work > 0 ? number("%.1f", rate) : "-") + mark);
    };
    add("step", "input", "output", "time/image", "share of", "rate ");
    add("", "", "", "(ms)", "time (%)", "(GFLOP/s) ");
    for (const StepProfile& p : profiles)
        add_times(p.name, to_string(p.input), to_string(p.output), p.seconds, p.multiply_adds,
                  p.saves_products ? "*" : " ");
    add_times("all steps", "", "", total, multiply_adds, saves_products ? "*" : " ");
    if (saves_products)
        text +=
            "* Two operations for each multiply-add of the layer as it is defined. Winograd and Strassen compute the "
            "same\n  result with fewer products, so such a rate may be above the processor's peak: more than 100 % of "
            "it.\n";
    return text;
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon
