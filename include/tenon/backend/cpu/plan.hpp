// From a program to steps: layouts, places in memory, tiles and the layout of the packed weights, all constants.
#pragma once

#include <tenon/backend/cpu/conv.hpp>
#include <tenon/backend/cpu/gating.hpp>
#include <tenon/backend/cpu/linear.hpp>
#include <tenon/backend/cpu/transfer.hpp>
#include <tenon/backend/cpu/winograd.hpp>
#include <tenon/program/plan_memory.hpp>

namespace tenon {

/// Everything the CPU runs a network by.
template <Capacity C>
struct CpuPlan {
    FixedVector<Step, C.ops + 2> steps{};
    long image_floats = 0;    ///< of the arena, per image in flight
    long weight_floats = 0;   ///< of the packed weights
    long scratch_floats = 0;  ///< of one thread's scratch memory
};

inline namespace TENON_ISA_NAMESPACE {

/// A first convolution of fewer channels than this reads the input as planes, so that depth is exact; with more, blocks
/// are full enough.
inline constexpr int least_blocked_channels = 16;

/// Completes a directly computed convolution step whose tensors and windows are set: tiles, panels and what of its
/// sources they read. Returns the depth: the products in a sum.
constexpr long plan_direct_conv(Step& step) {
    const Tensor& result = step.result();
    const int outputs = result.channels;
    bool dense = !step.target.has_border() && !step.activated.has_border() &&
                 (!step.residual.exists() || (step.residual_stride == 1 && !step.residual.has_border()));
    long depth = 0;
    for (StepTerm& term : step.terms) {
        if (!term.exists()) continue;
        dense = dense && term.window.is_pointwise() && term.window.stride_height == 1 &&
                term.window.stride_width == 1 && !term.source.has_border();
        term.group_inputs = term.source.channels / term.groups;
        term.group_outputs = outputs / term.groups;
        term.planes = term.source.planes();
        if (term.groups > 1) {
            int most = 1;
            for (int first = 0; first < result.planes(); first += panel_blocks) {
                const int last = std::min((first + panel_blocks) * block, outputs) - 1;
                const int from = first * block / term.group_outputs * term.group_inputs / block;
                const int to = ((last / term.group_outputs + 1) * term.group_inputs - 1) / block;
                most = std::max(most, to - from + 1);
            }
            term.planes = most;
        }
        depth += static_cast<long>(term.planes) * term.source.pixel() * term.window.taps();
    }
    step.grid =
        dense ? make_grid(1, result.pixels(), tile_pixels) : make_grid(result.height, result.width, tile_pixels);
    step.panels = (result.planes() + panel_blocks - 1) / panel_blocks;
    step.panel_floats = depth * panel_blocks * block;
    return depth;
}

/// Builds the plan of an optimised program.
template <Capacity C>
class CpuPlanner {
public:
    constexpr explicit CpuPlanner(const Program<C>& program, ConvAlgorithm algorithm = ConvAlgorithm::exact)
        : program_{program}, algorithm_{algorithm} {}

    constexpr CpuPlan<C> plan() {
        add_transfers();
        choose_algorithms();
        choose_layouts();
        long sizes[C.values + 2]{};
        for (int i = 1; i < program_.values.size(); ++i) sizes[i] = is_used(i) ? tensors_[i].floats() : 0;
        const MemoryPlan<C> memory =
            plan_memory(program_, sizes, [&](int a, int b) { return tensors_[a].same_form(tensors_[b]); });
        for (int i = 0; i < program_.values.size(); ++i) tensors_[i].offset = memory.offset[i];
        plan_.image_floats = round_up(memory.size);
        for (int i = 0; i < program_.ops.size(); ++i) add_step(i);
        return plan_;
    }

private:
    static constexpr long round_up(long floats) { return (floats + 15) / 16 * 16; }

    constexpr bool is_used(int value) const {
        for (const Op& op : program_.ops)
            if (op.target == value || op.activated == value) return true;
        return false;
    }

    /// Puts a load before and a store behind the operations; the copy of the input is a value of its own.
    constexpr void add_transfers() {
        const int copy = program_.values.size();
        program_.values.push_back(program_.values[0]);
        for (Op& op : program_.ops) {
            for (ConvTerm& term : op.terms)
                if (term.source == 0) term.source = copy;
            if (op.residual == 0) op.residual = copy;
        }
        if (program_.output == 0) program_.output = copy;
        Op load{};
        load.kind = OpKind::load_input;
        load.terms[0].source = 0;
        load.target = copy;
        program_.ops.push_back(load);
        for (int i = program_.ops.size() - 1; i > 0; --i) {
            const Op moved = program_.ops[i - 1];
            program_.ops[i - 1] = program_.ops[i];
            program_.ops[i] = moved;
        }
        Op store{};
        store.kind = OpKind::store_output;
        store.terms[0].source = program_.output;
        program_.ops.push_back(store);
    }

    /// Winograd where it is allowed and gains; an input that is read as planes has too few channels for it.
    constexpr void choose_algorithms() {
        if (algorithm_ == ConvAlgorithm::exact) return;
        for (int i = 0; i < program_.ops.size(); ++i) {
            const Op& op = program_.ops[i];
            if (op.kind != OpKind::conv || op.terms[1].source >= 0 || op.residual_stride != 1) continue;
            const int result = op.target >= 0 ? op.target : op.activated;
            winograd_[i] =
                choose_winograd(op.terms[0], program_.values[op.source()], program_.values[result], tile_pixels);
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
        bool planar = program_.values[copy].channels < least_blocked_channels && !program_.values[copy].is_flat();
        for (int i = 0; i < program_.ops.size(); ++i) {
            const Op& op = program_.ops[i];
            if (op.residual == copy) planar = false;
            for (const ConvTerm& term : op.terms) {
                if (term.source == copy && (op.kind != OpKind::conv || term.groups != 1)) planar = false;
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
        tensors_[copy].planar = planar;
    }

    constexpr long take_weights(long floats) {
        const long offset = plan_.weight_floats;
        plan_.weight_floats += round_up(floats);
        return offset;
    }

    constexpr void add_step(int index) {
        const Op& op = program_.ops[index];
        Step step{};
        step.kind = op.kind;
        step.op = index - 1;  // the load stands before the first operation
        step.residual_stride = op.residual_stride;
        step.relu = op.relu || op.kind == OpKind::relu;  // a ReLU that nothing before it applies
        for (int i = 0; i < 2; ++i) {
            const ConvTerm& term = op.terms[i];
            if (term.source < 0) continue;
            step.terms[i].source = tensors_[term.source];
            step.terms[i].window = term.window;
            step.terms[i].layer = term.layer;
            step.terms[i].norm = term.norm;
            step.terms[i].groups = term.groups;
        }
        if (op.residual >= 0) step.residual = tensors_[op.residual];
        if (op.target >= 0) step.target = tensors_[op.target];
        if (op.activated >= 0) {
            step.activated = tensors_[op.activated];
            step.activated_norm = op.activated_norm;
            step.activated_relu = op.activated_relu;
        }
        // x * scale + shift is an activation of x
        if ((op.kind == OpKind::batch_norm || op.kind == OpKind::scale) && !step.activated.exists()) {
            step.activated = step.target;
            step.activated_norm = op.layer();
            step.activated_relu = op.relu;
            step.target = {};
            step.relu = false;
        }
        const long channels = step.result().exists() ? step.result().planes() * block : 0;
        step.winograd = winograd_[index];
        if (op.kind == OpKind::conv && step.winograd.m > 0) plan_winograd(step);
        if (op.kind == OpKind::conv && step.winograd.m == 0) plan_conv(step);
        if (op.kind == OpKind::linear) {
            const int blocks = step.target.planes();
            step.panels = (blocks + linear_blocks - 1) / linear_blocks;
            step.weights = take_weights(step.source().floats() * blocks * block);
            step.shift = take_weights(channels);
        }
        if (step.activated.exists()) step.activated_scale = take_weights(2 * channels);
        plan_.steps.push_back(step);
    }

    constexpr void plan_winograd(Step& step) {
        const Tensor& result = step.result();
        StepTerm& term = step.terms[0];
        term.planes = term.source.planes();
        term.group_inputs = term.source.channels;
        term.group_outputs = result.channels;
        const long depth = static_cast<long>(term.planes) * block * step.winograd.points();
        step.panels = (result.planes() + panel_blocks - 1) / panel_blocks;
        step.panel_floats = depth * panel_blocks * block;
        step.weights = take_weights(depth * result.planes() * block);
        step.shift = take_weights(static_cast<long>(result.planes()) * block);
        plan_.scratch_floats =
            std::max(plan_.scratch_floats, round_up(step.winograd.scratch_floats(term.planes, panel_blocks)));
    }

    constexpr void plan_conv(Step& step) {
        const long depth = plan_direct_conv(step);
        step.weights = take_weights(depth * step.result().planes() * block);
        step.shift = take_weights(static_cast<long>(step.result().planes()) * block);
    }

    Program<C> program_;
    ConvAlgorithm algorithm_;
    WinogradGrid winograd_[C.ops + 2]{};
    Tensor tensors_[C.values + 2]{};
    CpuPlan<C> plan_{};
};

/// The kernel of one step of a plan; steps that need the same code share it.
template <const auto& Plan, int Index>
consteval StepFunction step_function() {
    constexpr const Step& step = Plan.steps[Index];
    using enum OpKind;
    if constexpr (step.kind == conv && step.winograd.m > 0)
        return &run_winograd<winograd_spec(step)>;
    else if constexpr (step.kind == conv)
        return &run_conv<conv_spec(step)>;
    if constexpr (step.kind == linear) return &run_linear<step.target.planes() % linear_blocks>;
    if constexpr (step.kind == max_pool || step.kind == average_pool) return &run_pool;
    if constexpr (step.kind == global_average_pool || step.kind == global_max_pool) return &run_global_pool;
    if constexpr (step.kind == add || step.kind == batch_norm || step.kind == relu || step.kind == OpKind::scale)
        return &run_pointwise;
    if constexpr (step.kind == OpKind::multiply) return &run_multiply;
    if constexpr (step.kind == sigmoid) return &run_sigmoid;
    if constexpr (step.kind == pad_channels) return &run_pad_channels;
    if constexpr (step.kind == softmax) return &run_softmax;
    if constexpr (step.kind == load_input) return &run_load_input;
    if constexpr (step.kind == store_output) return &run_store_output;
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon
