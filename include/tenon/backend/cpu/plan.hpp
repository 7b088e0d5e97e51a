// From a program to steps: layouts, places in memory, tiles and the layout of the packed weights, all constants.
#pragma once

#include <tenon/backend/cpu/linear.hpp>
#include <tenon/backend/cpu/plan_chains.hpp>
#include <tenon/backend/describe_step.hpp>
#include <tenon/program/passes/add_transfers.hpp>
#include <tenon/program/plan_memory.hpp>

namespace tenon {

/// A value that passes from the arena of one image at a time to the arena of its image.
struct Handover {
    long from = 0, to = 0, floats = 0;
};

/// Everything the CPU runs a network by.
///
/// Steps with large maps and few weights, which come first, work off one image after the other in one arena: their maps
/// stay in the caches. Steps from `joint` on work on all images in flight together, each in an arena of its own:
/// weights are streamed once for all.
template <int Steps, int Followers, int Handovers>
struct CpuPlan {
    FixedVector<Step, Steps> steps{};
    FixedVector<Step, Followers> followers{};  ///< steps that are worked off with one of `steps`
    int joint = 0;                             ///< the first step that works on all images together
    long single_floats = 0;                    ///< of the arena of the steps before `joint`
    long image_floats = 0;                     ///< of the arena of the steps from `joint` on, per image in flight
    long weight_floats = 0;                    ///< of the packed weights
    long scratch_floats = 0;                   ///< of one thread's scratch memory
    FixedVector<Handover, Handovers> handovers{};

    /// Floats for values, with so many images in flight.
    constexpr long arena_floats(long images) const { return single_floats + images * image_floats; }

    /// The same plan without room for more: what a program keeps.
    template <int Exact, int ExactFollowers, int ExactHandovers>
    constexpr CpuPlan<Exact, ExactFollowers, ExactHandovers> trimmed() const {
        return {steps.template with_capacity<Exact>(),
                followers.template with_capacity<ExactFollowers>(),
                joint,
                single_floats,
                image_floats,
                weight_floats,
                scratch_floats,
                handovers.template with_capacity<ExactHandovers>()};
    }
};

inline namespace TENON_ISA_NAMESPACE {

/// Builds the plan of an optimised program.
template <Capacity C>
class CpuPlanner {
public:
    constexpr explicit CpuPlanner(const Program<C>& program, ConvAlgorithm algorithm = ConvAlgorithm::exact)
        : program_{add_transfers(program)}, algorithm_{algorithm} {}

    using Plan = CpuPlan<C.ops + 2, C.ops + 2, C.values + 2>;

    constexpr Plan plan() {
        choose_algorithms();
        choose_layouts();
        const int joint_op = first_joint_op();
        choose_chains(joint_op);
        long single[array_bound<C.values + 2>]{}, joint[array_bound<C.values + 2>]{};  // what is stored in either arena
        for (int i = 1; i < program_.values.size(); ++i) {
            const int writer = program_.producer(i);
            if (writer < 0 || tensors_[i].is_strip()) continue;
            if (writer < joint_op) single[i] = tensors_[i].floats();
            if (writer >= joint_op || is_used_from(program_, joint_op, i)) joint[i] = tensors_[i].floats();
        }
        const auto same_form = [&](int a, int b) { return tensors_[a].same_form(tensors_[b]); };
        const auto with_next = [&](int op) { return chained_[op]; };
        const MemoryPlan<C> single_memory = plan_memory(program_, single, same_form, with_next);
        const MemoryPlan<C> joint_memory = plan_memory(program_, joint, same_form, with_next);
        plan_.single_floats = round_up(single_memory.size);
        plan_.image_floats = round_up(joint_memory.size);
        for (int i = 0; i < program_.values.size(); ++i)
            if (single[i] > 0 && joint[i] > 0)
                plan_.handovers.push_back({single_memory.offset[i], joint_memory.offset[i], single[i]});
        for (int i = 0; i < program_.ops.size(); ++i) {
            const MemoryPlan<C>& memory = i < joint_op ? single_memory : joint_memory;
            if (i == 0 || i == joint_op)
                for (int v = 0; v < program_.values.size(); ++v)
                    tensors_[v].offset = tensors_[v].is_strip() ? 0 : memory.offset[v];
            if (i == joint_op) plan_.joint = plan_.steps.size();
            const Step step = step_of(i);
            if (follows(i))
                plan_.followers.push_back(step);
            else
                plan_.steps.push_back(step);
            if (chained_[i]) plan_.steps.back().follower = plan_.followers.size();
        }
        return plan_;
    }

private:
    static constexpr long round_up(long floats) { return (floats + 15) / 16 * 16; }

    /// The value whose shape is a convolution's output.
    static constexpr int result_of(const Op& op) { return op.target >= 0 ? op.target : op.activated; }

    /// Behind the last convolution or pooling whose maps would leave the caches with several images, and are worth more
    /// than its weights.
    constexpr int first_joint_op() const {
        int first = 0;
        for (int i = 0; i < program_.ops.size(); ++i) {
            const Op& op = program_.ops[i];
            if (op.kind != OpKind::conv && !is_pooling(op.kind)) continue;
            const long weights = op.kind == OpKind::conv ? weights_of(program_, op) : 0;
            long floats = 0;
            for_each_operand(op, [&](int value) { floats += tensors_[value].floats(); });
            for (const int value : {op.target, op.activated})
                if (value >= 0) floats += tensors_[value].floats();
            if (floats > cached_floats && 2 * floats > weights) first = i + 1;
        }
        return first;
    }

    /// Winograd where it is allowed and gains; an input that is read as planes has too few channels for it.
    constexpr void choose_algorithms() {
        if (algorithm_ == ConvAlgorithm::exact) return;
        for (int i = 0; i < program_.ops.size(); ++i) {
            const Op& op = program_.ops[i];
            if (op.kind != OpKind::conv || op.second_convolution() || op.residual_stride != 1) continue;
            winograd_[i] = choose_constant_winograd<tile_pixels>(op.terms[0], program_.values[op.source()],
                                                                 program_.values[result_of(op)]);
        }
    }

    constexpr void choose_layouts() {
        const int copy = program_.ops[0].target;
        for (int i = 0; i < program_.values.size(); ++i) {
            const Shape shape = program_.values[i];
            tensors_[i].channels = shape.channels;
            if (!shape.is_flat()) {
                tensors_[i].height = shape.height;
                tensors_[i].width = shape.width;
            }
        }
        for (int i = 0; i < program_.ops.size(); ++i) {
            const Op& op = program_.ops[i];
            for (const ConvTerm& term : op.terms) {
                if (term.source < 0 || op.kind != OpKind::conv) continue;
                Tensor& source = tensors_[term.source];
                source.top = std::max(source.top, term.window.top);
                source.left = std::max(source.left, term.window.left);
                source.bottom = std::max(source.bottom, term.window.bottom);
                source.right = std::max(source.right, term.window.right);
                if (winograd_[i].m == 0) continue;  // else the last tiles read over the edge
                source.bottom = std::max(source.bottom, winograd_[i].source_rows() - term.window.top - source.height);
                source.right = std::max(source.right, winograd_[i].source_columns() - term.window.left - source.width);
            }
        }
        if (program_.values[copy].channels >= least_blocked_channels || program_.values[copy].is_flat()) return;
        const Op& reader = program_.ops[1];  // the operation behind the load
        const bool is_norm = reader.kind == OpKind::batch_norm || reader.kind == OpKind::scale;
        if (is_read_as_planes(copy)) {
            tensors_[copy].planar = true;
        } else if (is_norm && reader.activated < 0 && reader.source() == copy && !is_used_from(program_, 2, copy) &&
                   program_.output != copy && is_read_as_planes(result_of(reader))) {
            tensors_[copy].planar = tensors_[result_of(reader)].planar = true;
        }
    }

    /// Whether nothing but convolutions without groups and without a second source, whose layout would be another one,
    /// reads a value.
    constexpr bool is_read_as_planes(int value) const {
        if (program_.output == value) return false;
        for (const Op& op : program_.ops) {
            if (op.residual == value) return false;
            for (const ConvTerm& term : op.terms)
                if (term.source == value && (op.kind != OpKind::conv || term.groups != 1 || op.second_convolution()))
                    return false;
        }
        return true;
    }

    constexpr void choose_chains(int joint_op) {
        ChainPlanner chains{program_, winograd_, tensors_};
        for (int i = 1; i + 1 < program_.ops.size(); ++i) {
            chained_[i] = !chained_[i - 1] && i + 1 != joint_op && chains.choose(i);
            if (!chained_[i]) continue;
            const Op& op = program_.ops[i];
            for (const int value : {op.target, op.activated})
                if (value >= 0 && tensors_[value].is_strip()) need_scratch(tensors_[value].floats());
        }
    }

    constexpr bool follows(int op) const { return op > 0 && chained_[op - 1]; }

    constexpr void need_scratch(long floats) {
        plan_.scratch_floats = std::max(plan_.scratch_floats, round_up(floats));
    }

    constexpr long take_weights(long floats) {
        const long offset = plan_.weight_floats;
        plan_.weight_floats += round_up(floats);
        return offset;
    }

    constexpr Step step_of(int index) {
        const Op& op = program_.ops[index];
        Step step = describe_step<Step>(program_, index, tensors_);
        for (int i = 0; i < 2; ++i) step.terms[i].groups = op.terms[i].groups;
        const long channels = step.result().exists() ? step.result().planes() * block : 0;
        step.winograd = winograd_[index];
        if (op.kind == OpKind::conv && step.winograd.m > 0) plan_winograd(step);
        if (op.kind == OpKind::conv && step.winograd.m == 0) plan_conv(step, chained_[index] || follows(index));
        if (op.kind == OpKind::linear) {
            const int blocks = step.target.planes();
            step.panels = (blocks + linear_blocks - 1) / linear_blocks;
            step.weights = take_weights(step.source().floats() * blocks * block);
            step.shift = take_weights(channels);
        }
        if (step.activated.exists()) step.activated_scale = take_weights(2 * channels);
        return step;
    }

    constexpr void plan_winograd(Step& step) {
        const long depth = plan_winograd_conv(step), planes = step.result().planes();
        step.weights = take_weights(depth * planes * block);
        step.shift = take_weights(planes * block);
        need_scratch(step.winograd.scratch_floats(step.terms[0].planes, panel_blocks));
    }

    constexpr void plan_conv(Step& step, bool in_chain) {
        plan_direct_conv(step, algorithm_, in_chain);
        step.weights = take_weights(step.panel_floats * step.result().planes() / panel_blocks);
        step.shift = take_weights(static_cast<long>(step.result().planes()) * block);
        need_scratch(strassen_scratch_floats(step));
    }

    Program<C> program_;
    ConvAlgorithm algorithm_;
    WinogradGrid winograd_[array_bound<C.ops + 2>]{};
    bool chained_[array_bound<C.ops + 2>]{};  ///< with the operation behind
    Tensor tensors_[array_bound<C.values + 2>]{};
    Plan plan_{};
};

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon
