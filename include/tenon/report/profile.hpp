// profile: how long each step of a model takes, at which rate.
#pragma once

#include <cstdio>

#include <tenon/report/summary.hpp>
#include <tenon/runtime/model.hpp>

namespace tenon {
inline namespace TENON_ISA_NAMESPACE {

/// One step of a model on the CPU: what it does, its size, and the time it took.
struct StepProfile {
    std::string name;        ///< the layers it stands for, `stack0.block1.body.conv2`
    Shape input, output;     ///< of one image
    long multiply_adds = 0;  ///< per image
    long bytes = 0;          ///< of tensors and weights it must read or write once, per image
    double seconds = 0;      ///< per image: the median over the runs
};

/// The steps of a network on the CPU without times: names, sizes and work.
template <class Net, ConvAlgorithm Algorithm = ConvAlgorithm::fast>
std::vector<StepProfile> step_profiles() {
    using Compiled = CpuProgram<Net, Algorithm>;
    const auto shape_of = [](const Tensor& tensor) {
        return tensor.pixels() == 1 ? Shape{tensor.channels} : Shape{tensor.channels, tensor.height, tensor.width};
    };
    std::vector<StepProfile> profiles;
    for (const Step& step : Compiled::plan.steps) {
        StepProfile profile;
        const bool transfer = step.kind == OpKind::load_input || step.kind == OpKind::store_output;
        profile.name = std::string(op_name(step.kind));
        if (!transfer) {
            const Op& op = Compiled::program.ops[step.op];
            profile.name = to_string(Compiled::program.layers[op.layer()].path);
            profile.multiply_adds = multiply_adds_of(Compiled::program, op);
            if (op.terms[1].source >= 0)
                profile.name += " + " + to_string(Compiled::program.layers[op.terms[1].layer].path);
            if (op.kind == OpKind::max_pool && op.window().taps() == 1) profile.name += ", thinned out";
        }
        const Step* follower = step.follower < 0 ? nullptr : &Compiled::plan.followers[step.follower];
        if (follower) {
            const Op& op = Compiled::program.ops[follower->op];
            profile.name += ", " + to_string(Compiled::program.layers[op.layer()].path);
            profile.multiply_adds += multiply_adds_of(Compiled::program, op);
        }
        const Tensor& first = step.kind == OpKind::load_input ? step.target : step.source();
        const Tensor& last = follower ? follower->result() : step.result().exists() ? step.result() : step.source();
        profile.input = shape_of(first);
        profile.output = shape_of(last);
        long floats = 0;
        for (const Step* part : {&step, follower}) {
            if (!part) continue;
            for (const Tensor* tensor :
                 {&part->terms[0].source, &part->terms[1].source, &part->residual, &part->target, &part->activated})
                if (tensor->exists() && !tensor->is_strip())
                    floats += static_cast<long>(tensor->channels) * tensor->pixels();
            if (part->kind == OpKind::conv) floats += part->panel_floats * part->panels;
        }
        if (step.kind == OpKind::linear) floats += step.source().floats() * step.target.channels;
        profile.bytes = floats * static_cast<long>(sizeof(float));
        profiles.push_back(profile);
    }
    return profiles;
}

/// Runs a model `runs` times on a batch and gives each step's median time per image.
template <class Net>
std::vector<StepProfile> profile(Model<Net, Cpu>& model, std::span<const float> images, int runs = 10) {
    std::vector<StepProfile> profiles = step_profiles<Net>();
    std::vector<std::vector<double>> times(profiles.size());
    const double count = static_cast<double>(images.size()) / static_cast<double>(input_shape<Net>.elements());
    model.profile(images);  // the first run pays for touching memory and waking threads
    for (int run = 0; run < runs; ++run) {
        const std::vector<double> seconds = model.profile(images);
        for (std::size_t i = 0; i < times.size(); ++i) times[i].push_back(seconds[i] / count);
    }
    for (std::size_t i = 0; i < times.size(); ++i) {
        std::sort(times[i].begin(), times[i].end());
        if (!times[i].empty()) profiles[i].seconds = times[i][times[i].size() / 2];
    }
    return profiles;
}

/// A table of profiles with rates and shares of the whole.
inline std::string to_string(std::span<const StepProfile> profiles) {
    double total = 0;
    long multiply_adds = 0;
    for (const StepProfile& profile : profiles) {
        total += profile.seconds;
        multiply_adds += profile.multiply_adds;
    }
    char row[256];
    std::string text;
    const auto add = [&](const char* name, const std::string& in, const std::string& out, double seconds, long work) {
        std::snprintf(row, sizeof row, "%-58s %-16s %-16s %9.3f ms %8.1f GFLOP/s %6.1f %%\n", name, in.c_str(),
                      out.c_str(), seconds * 1e3, seconds > 0 ? 2e-9 * static_cast<double>(work) / seconds : 0.0,
                      total > 0 ? 100 * seconds / total : 0.0);
        text += row;
    };
    for (const StepProfile& p : profiles)
        add(p.name.c_str(), to_string(p.input), to_string(p.output), p.seconds, p.multiply_adds);
    add("all", "", "", total, multiply_adds);
    return text;
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon
