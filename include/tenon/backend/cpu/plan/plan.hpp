#pragma once
// IWYU pragma: private, include <tenon/inference.hpp>

// From a program to steps: layouts, places in memory, tiles and the layout of the packed weights, all constants.
//
// Words of a plan, and of the engine that runs it (engine/cpu.hpp), for a batch of three images A, B, C:
//
//     single arena               joint arenas, one per image in flight
//     +-------------+  handover  +-----+-----+-----+
//     |  one image  | ---------> |  A  |  B  |  C  |
//     +-------------+            +-----+-----+-----+
//
//     for A, then B, then C: steps [0, joint) run in the single arena, so its maps stay in the caches; then the values
//                            that later steps read are copied to the image's joint arena
//     for A, B, C together:  each of the steps [joint, end) runs for all three before the next step starts, so weights
//                            are streamed once for all
//
//   single     steps with large maps and few weights, which come first: they run for one image at a time
//   joint      the first step that runs for all images in flight together; also the steps from there on
//   handover   a value that passes from the single arena to the joint arena of its image
//   follower   the second step of a chain (plan/chains.hpp): not in `steps`, but run strip by strip with the step that
//              names it
//   wraps      (TileGrid) the width of the map's rows, where the map is computed as one long row whose tiles run over
//              the ends of rows; 0 where no tile does
//   crossings  the most row ends that such a tile may run over. A 5 x 7 map as one row of 35 pixels, wraps = 7, in
//              tiles a, b, c of 9 pixels and d of 8:
//
//                  row 0  a a a a a a a
//                  row 1  a a b b b b b    each of these tiles runs over one row end; a tile that begins at the
//                  row 2  b b b b c c c    last pixel of a row would run over two, and kernels must allow for it:
//                  row 3  c c c c c c d    crossings = (wraps - 1 + 9 - 1) / wraps = 14 / 7 = 2
//                  row 4  d d d d d d d

#include <tenon/backend/cpu/plan/chains.hpp>
#include <tenon/backend/shared/lower_step.hpp>
#include <tenon/core/round.hpp>
#include <tenon/program/memory/plan_memory.hpp>
#include <tenon/program/passes/add_transfers.hpp>

namespace tenon::cpu {

/// A value that passes from the single arena to the joint arena of its image; offsets and size in floats.
struct Handover {
    long from = 0, to = 0, floats = 0;
};

/// Everything the CPU needs to run a network: steps, their kernels' constants and the sizes of all memory.
///
/// Steps with large maps and few weights, which come first, run for one image after the other in one arena: their maps
/// stay in the caches. Steps from `joint` on run for all images in flight together, each image in an arena of its own:
/// weights are streamed once for all.
template <int Steps, int Followers, int Handovers>
struct Plan {
    FixedVector<Step, Steps> steps{};
    FixedVector<Step, Followers> followers{};  ///< steps that run strip by strip with one of `steps`
    int joint = 0;                             ///< the first step that runs for all images together
    long single_floats = 0;                    ///< floats of the arena of the steps before `joint`
    long image_floats = 0;    ///< floats of the arena of the steps from `joint` on, per image in flight
    long weight_floats = 0;   ///< floats of the packed weights
    long scratch_floats = 0;  ///< floats of one worker's scratch memory
    FixedVector<Handover, Handovers> handovers{};

    /// Floats for the values of `images` images in flight.
    constexpr long arena_floats(long images) const { return single_floats + images * image_floats; }

    /// Whether every step that runs with a follower is before `joint`. So it is because a chain's inner map leaves the
    /// caches and its weights don't, by the same `cached_floats` that `joint` is chosen by: such a step comes before
    /// it.
    constexpr bool chains_are_single() const {
        for (int i = joint; i < steps.size(); ++i)
            if (steps[i].follower >= 0) return false;
        return true;
    }

    /// The same plan without room for more: what a program keeps.
    template <int Exact, int ExactFollowers, int ExactHandovers>
    constexpr Plan<Exact, ExactFollowers, ExactHandovers> trimmed() const {
        return {.steps = steps.template with_capacity<Exact>(),
                .followers = followers.template with_capacity<ExactFollowers>(),
                .joint = joint,
                .single_floats = single_floats,
                .image_floats = image_floats,
                .weight_floats = weight_floats,
                .scratch_floats = scratch_floats,
                .handovers = handovers.template with_capacity<ExactHandovers>()};
    }
};

inline namespace TENON_ISA_NAMESPACE {

/// Builds the plan of an optimized program.
template <Capacity C>
class Planner {
public:
    constexpr explicit Planner(const Program<C>& program, ConvAlgorithm algorithm = ConvAlgorithm::exact)
        : program_{add_transfers(program)}, last_uses_{program_}, algorithm_{algorithm} {}

    using Plan = cpu::Plan<C.ops + 2, C.ops + 2, C.values + 2>;

    constexpr Plan plan() {
        choose_algorithms();
        choose_layouts();
        const int joint_op = first_joint_op();
        choose_chains(joint_op);
        const Uses<C> uses{program_};
        long single[array_bound<C.values + 2>]{}, joint[array_bound<C.values + 2>]{};  // floats stored in either arena
        for (int i = 1; i < program_.values.size(); ++i) {
            const int writer = uses.producer[i];
            if (writer < 0 || tensors_[i].is_strip()) continue;
            if (writer < joint_op) single[i] = tensors_[i].floats();
            if (writer >= joint_op || last_uses_.is_used_from(joint_op, i)) joint[i] = tensors_[i].floats();
        }
        const auto same_form = [&](int a, int b) { return tensors_[a].same_form(tensors_[b]); };
        const auto with_next = [&](int op) { return chained_[op]; };
        const MemoryPlan<C> single_memory = plan_memory(program_, single, same_form, with_next);
        const MemoryPlan<C> joint_memory = plan_memory(program_, joint, same_form, with_next);
        plan_.single_floats = round_up(single_memory.size, cache_line);
        plan_.image_floats = round_up(joint_memory.size, cache_line);
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
    static constexpr long cache_line = MemoryPlan<C>::alignment;

    /// The value whose shape is a convolution's output.
    static constexpr int result_of(const Op& op) { return op.target >= 0 ? op.target : op.activated; }

    /// The operation after the last convolution or pooling whose maps would leave the caches with several images and
    /// are worth more than its weights.
    constexpr int first_joint_op() const {
        int first = 0;
        for (int i = 0; i < program_.ops.size(); ++i) {
            const Op& op = program_.ops[i];
            if (op.kind != OpKind::conv && !traits_of(op.kind).is_pooling) continue;
            const long weights = op.kind == OpKind::conv ? weights_of(program_, op) : 0;
            long floats = 0;
            for_each_operand(op, [&](int value) { floats += tensors_[value].floats(); });
            for (const int value : {op.target, op.activated})
                if (value >= 0) floats += tensors_[value].floats();
            if (floats > cached_floats && 2 * floats > weights) first = i + 1;
        }
        return first;
    }

    /// Winograd where it is allowed and faster; an input that is read as planes has too few channels for it.
    constexpr void choose_algorithms() {
        if (algorithm_ == ConvAlgorithm::exact) return;
        for (int i = 0; i < program_.ops.size(); ++i) {
            const Op& op = program_.ops[i];
            if (op.kind != OpKind::conv || op.has_second_convolution() || op.residual_stride != 1) continue;
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
                if (winograd_[i].m == 0) continue;  // Winograd's last tiles read over the edge
                source.bottom = std::max(source.bottom, winograd_[i].source_rows() - term.window.top - source.height);
                source.right = std::max(source.right, winograd_[i].source_columns() - term.window.left - source.width);
            }
        }
        if (program_.values[copy].channels >= min_blocked_channels || program_.values[copy].is_flat()) return;
        const Op& reader = program_.ops[1];  // the operation after the load
        if (is_read_as_planes(copy)) {
            tensors_[copy].planar = true;
        } else if (traits_of(reader.kind).is_affine && reader.activated < 0 && reader.source() == copy &&
                   !last_uses_.is_used_from(2, copy) && program_.output != copy &&
                   is_read_as_planes(result_of(reader))) {
            tensors_[copy].planar = tensors_[result_of(reader)].planar = true;
        }
    }

    /// Whether the only readers of a value are convolutions without groups and without a second source, whose layout
    /// would differ.
    constexpr bool is_read_as_planes(int value) const {
        if (program_.output == value) return false;
        for (const Op& op : program_.ops) {
            if (op.residual == value) return false;
            for (const ConvTerm& term : op.terms)
                if (term.source == value &&
                    (op.kind != OpKind::conv || term.groups != 1 || op.has_second_convolution()))
                    return false;
        }
        return true;
    }

    constexpr void choose_chains(int joint_op) {
        ChainPlanner chains{program_, last_uses_, winograd_, tensors_};
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
        plan_.scratch_floats = std::max(plan_.scratch_floats, round_up(floats, cache_line));
    }

    constexpr long take_weights(long floats) {
        const long offset = plan_.weight_floats;
        plan_.weight_floats += round_up(floats, cache_line);
        return offset;
    }

    constexpr Step step_of(int index) {
        const Op& op = program_.ops[index];
        Step step = lower_step<Step>(program_, index, tensors_);
        for (int i = 0; i < 2; ++i) step.terms[i].groups = op.terms[i].groups;
        const long channels = step.result().exists() ? step.result().planes() * channel_block : 0;
        step.winograd = winograd_[index];
        if (op.kind == OpKind::conv && step.winograd.m > 0) plan_winograd(step);
        if (op.kind == OpKind::conv && step.winograd.m == 0) plan_conv(step, chained_[index] || follows(index));
        if (op.kind == OpKind::linear) {
            const int blocks = step.target.planes();
            step.panels = (blocks + linear_blocks - 1) / linear_blocks;
            step.weights = take_weights(step.source().floats() * blocks * channel_block);
            step.shift = take_weights(channels);
        }
        if (step.activated.exists()) step.activated_scale = take_weights(2 * channels);
        return step;
    }

    constexpr void plan_winograd(Step& step) {
        const long depth = plan_winograd_conv(step), planes = step.result().planes();
        step.weights = take_weights(depth * planes * channel_block);
        step.shift = take_weights(planes * channel_block);
        need_scratch(step.winograd.scratch_floats(step.terms[0].planes, panel_blocks));
    }

    constexpr void plan_conv(Step& step, bool in_chain) {
        plan_direct_conv(step, algorithm_, in_chain);
        step.weights = take_weights(step.panel_floats * step.result().planes() / panel_blocks);
        step.shift = take_weights(long{step.result().planes()} * channel_block);
        need_scratch(strassen_scratch_floats(step));
    }

    Program<C> program_;
    LastUses<C> last_uses_;
    ConvAlgorithm algorithm_;
    WinogradGrid winograd_[array_bound<C.ops + 2>]{};
    bool chained_[array_bound<C.ops + 2>]{};  ///< with the next operation
    Tensor tensors_[array_bound<C.values + 2>]{};
    Plan plan_{};
};

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::cpu
