#pragma once
// IWYU pragma: private, include <tenon/training.hpp>

// From a training program to steps on the CPU: layouts, places, tiles and scratch memory, all constants.

#include <algorithm>

#include <tenon/backend/cpu/layout/training_step.hpp>
#include <tenon/backend/cpu/plan/conv.hpp>
#include <tenon/backend/cpu/plan/winograd_gradient_parts.hpp>
#include <tenon/backend/shared/lower_training_step.hpp>
#include <tenon/core/round.hpp>

namespace tenon::cpu {

/// Everything the CPU needs to train a network: steps and the sizes of all memory.
template <TrainingCapacity T>
struct TrainingPlan : TrainingSteps<TrainingStep, Tensor, T> {
    long image_floats = 0;        ///< floats of the arena, per image
    long packed_floats = 0;       ///< scratch for the weights of one operation
    GradientRooms transformed{};  ///< scratch for the transformed tiles of weight gradients
    long statistics_floats = 0;   ///< floats for the statistics of all batch norms
    long partial_floats = 0;      ///< scratch for per-channel sums, per image
    long scratch_floats = 0;      ///< floats of one worker's scratch memory
};

inline namespace TENON_ISA_NAMESPACE {

/// Builds the plan of a training program.
template <Capacity C, TrainingCapacity T>
class TrainingPlanner {
public:
    /// `apart` says of each value whether its place is its own (place_training_values); null: of none.
    constexpr TrainingPlanner(const TrainingProgram<C, T>& program, ConvAlgorithm algorithm,
                              const bool* apart = nullptr)
        : program_{program}, algorithm_{algorithm}, apart_{apart} {}

    constexpr TrainingPlan<T> plan() {
        for (int i = 0; i < program_.ops.size() && algorithm_ == ConvAlgorithm::fast; ++i)
            winograd_[i] = winograd_of<tile_pixels>(program_.ops[i]);
        choose_layouts();
        const long floats = place_training_values(
            program_, tensors_, [](const Tensor& tensor) { return tensor.floats(); }, plan_, apart_);
        plan_.image_floats = round_up(floats, cache_line);
        for (long& offset : statistics_) offset = -1;
        for (int i = 0; i < program_.ops.size(); ++i) add_step(program_.ops[i], winograd_[i]);
        return plan_;
    }

private:
    /// The batch size that algorithms are chosen for; a batch may have any size.
    static constexpr int usual_batch = 16;

    static constexpr long cache_line = MemoryPlan<C>::alignment;

    /// The window of the convolution that computes the gradient of a term's source: mirrored taps, no strides.
    constexpr Window gradient_window(const TrainingOp& op) const {
        const Window& window = program_.op_of(op).terms[op.term].window;
        const Tensor &from = tensors_[op.gradient], &to = tensors_[op.target];
        Window result{};
        result.kernel_height = window.kernel_height;
        result.kernel_width = window.kernel_width;
        result.top = window.kernel_height - 1 - window.top;
        result.left = window.kernel_width - 1 - window.left;
        if (from.height == to.height && from.width == to.width && window.is_pointwise()) result.top = result.left = 0;
        result.bottom = to.height - from.height - result.top + window.kernel_height - 1;
        result.right = to.width - from.width - result.left + window.kernel_width - 1;
        return result;
    }

public:
    /// Winograd where it is allowed and faster than a plain sum, which takes `share` of the time of one in floats: for
    /// forward convolutions and for both of their gradients. It is chosen as for tiles of `Pixels` pixels.
    template <int Pixels>
    constexpr WinogradGrid winograd_of(const TrainingOp& op, double share = 1) const {
        const Op& forward = program_.op_of(op);
        if (forward.kind != OpKind::conv) return {};
        ConvTerm term = forward.terms[op.term];
        WinogradGrid chosen{};
        Shape input{}, output{};
        int images = usual_batch;
        if (op.kind == TrainingKind::weight_gradient) {
            input = program_.values[op.sources[op.term]];
            output = program_.values[op.gradient];
            images = 1;
            chosen = choose_winograd_gradient<Pixels>(term, input, output, share);
        } else {
            const bool is_gradient = op.kind == TrainingKind::data_gradient;
            if (!is_gradient &&
                (!is_forward(op.kind) || forward.has_second_convolution() || forward.residual_stride != 1))
                return {};
            if (is_gradient) term.window.stride_height = term.window.stride_width = 1;
            input = program_.values[is_gradient ? op.gradient : op.sources[0]];
            output = program_.values[op.target];
            chosen = choose_winograd<Pixels>(term, input, output, usual_batch, share);
        }
        if (Pixels == tile_pixels || chosen.m == 0) return chosen;
        return winograd_grid<tile_pixels>(chosen.m, output, channel_blocks(input.channels), images);
    }

    /// Computes an operation by Winograd.
    constexpr void use_winograd(int op, const WinogradGrid& grid) { winograd_[op] = grid; }

private:
    static constexpr void widen(Tensor& source, const Window& window) {
        source.top = std::max(source.top, window.top);
        source.left = std::max(source.left, window.left);
        source.bottom = std::max(source.bottom, window.bottom);
        source.right = std::max(source.right, window.right);
    }

    constexpr void choose_layouts() {
        for (int i = 0; i < program_.values.size(); ++i) {
            const Shape shape = program_.values[i];
            tensors_[i].channels = shape.channels;
            if (shape.is_flat()) continue;
            tensors_[i].height = shape.height;
            tensors_[i].width = shape.width;
        }
        bool planar = program_.values[0].channels < min_blocked_channels && !program_.values[0].is_flat();
        for (int i = 0; i < program_.ops.size(); ++i) {
            const TrainingOp& op = program_.ops[i];
            const Op& forward = program_.op_of(op);
            const bool conv = forward.kind == OpKind::conv;
            const bool reads_window = conv && (is_forward(op.kind) || op.kind == TrainingKind::weight_gradient);
            for (int t = 0; t < 2; ++t) {
                if (op.sources[t] < 0) continue;
                if (reads_window) widen(tensors_[op.sources[t]], forward.terms[t].window);
                if (op.sources[t] == 0 && (!reads_window || forward.terms[t].groups != 1)) planar = false;
            }
            if (op.residual == 0 || op.result == 0) planar = false;
            const bool gradient = conv && op.kind == TrainingKind::data_gradient;
            if (gradient) widen(tensors_[op.gradient], gradient_window(op));
            if (winograd_[i].m == 0) continue;  // Winograd's last tiles read over the edge
            Tensor& source = tensors_[gradient ? op.gradient : op.sources[op.term]];
            const Window window = gradient ? gradient_window(op) : forward.terms[op.term].window;
            source.bottom = std::max(source.bottom, winograd_[i].source_rows() - window.top - source.height);
            source.right = std::max(source.right, winograd_[i].source_columns() - window.left - source.width);
        }
        tensors_[0].planar = planar;
    }

    constexpr void need_packed(long floats) {
        plan_.packed_floats = std::max(plan_.packed_floats, round_up(floats, cache_line));
    }
    constexpr void need_partials(const Tensor& tensor) {
        plan_.partial_floats = std::max(plan_.partial_floats, 2L * tensor.planes() * channel_block);
    }

    constexpr Tensor tensor_of(int value) const { return value >= 0 ? tensors_[value] : Tensor{}; }

    constexpr void set_term(StepTerm& to, const ConvTerm& term, int source) const {
        to.source = tensor_of(source);
        to.window = term.window;
        to.layer = term.layer;
        to.groups = term.groups;
    }

    constexpr void add_step(const TrainingOp& op, const WinogradGrid& winograd) {
        using enum TrainingKind;
        const Op& forward_op = program_.op_of(op);
        TrainingStep training = lower_training_step<TrainingStep>(program_, op, tensors_);
        Step& step = training.step;
        step.winograd = winograd;
        for (int t = 0; t < 2; ++t) step.terms[t].groups = forward_op.terms[t].groups;
        if (forward_op.kind == OpKind::batch_norm) {
            long& offset = statistics_[forward_op.layer()];
            if (offset < 0) {
                offset = plan_.statistics_floats;
                plan_.statistics_floats += long{NormNumbers::count} * step.source().planes() * channel_block;
            }
            training.statistics = offset;
            need_partials(step.source());
        }
        if (op.kind == weight_gradient) plan_weight_gradient(training, forward_op, op);
        if (op.kind == data_gradient) plan_data_gradient(training, forward_op, op);
        if (is_forward(op.kind)) plan_sum(step);
        plan_.steps.push_back(training);
    }

    /// Assigns places to the packed weights of a convolution or linear layer.
    constexpr void plan_sum(Step& step) {
        const long planes = step.target.planes();
        if (step.kind == OpKind::conv && step.winograd.m > 0) {
            const long depth = plan_winograd_conv(step);
            step.weights = 0;
            step.shift = depth * planes * channel_block;
            plan_.scratch_floats =
                std::max(plan_.scratch_floats,
                         round_up(step.winograd.scratch_floats(step.terms[0].planes, panel_blocks), cache_line));
        } else if (step.kind == OpKind::conv) {
            step.weights = 0;
            step.shift = round_up(plan_direct_conv(step) * planes * channel_block, cache_line);
        } else if (step.kind == OpKind::linear) {
            step.panels = static_cast<int>((planes + linear_blocks - 1) / linear_blocks);
            step.weights = 0;
            step.shift = step.source().floats() * planes * channel_block;
        } else {
            return;
        }
        need_packed(step.shift + planes * channel_block);
    }

    constexpr void plan_weight_gradient(TrainingStep& training, const Op& op, const TrainingOp& of) {
        Step& step = training.step;
        set_term(step.terms[0], op.terms[of.term], of.sources[of.term]);
        step.terms[1] = {};
        step.target = training.gradient;
        step.relu = false;
        need_partials(step.target);
        if (op.kind == OpKind::conv && step.winograd.m > 0) {
            need_packed(GradientSums{step}.max_floats());
            plan_.transformed.include(step.winograd, step.source().planes() + step.target.planes());
        } else if (op.kind == OpKind::conv) {
            plan_direct_conv(step);
            need_packed(GradientSums{step}.max_floats());
        }
    }

    constexpr void plan_data_gradient(TrainingStep& training, const Op& op, const TrainingOp& of) {
        Step& step = training.step;
        const ConvTerm& term = op.terms[of.term];
        step.terms[0] = step.terms[1] = {};
        step.terms[0].source = training.gradient;
        step.terms[0].layer = term.layer;
        step.terms[0].groups = term.groups;
        step.relu = false;
        if (op.kind == OpKind::conv) {
            step.terms[0].window = gradient_window(of);
            step.residual = training.sum;
        } else {
            training.result = step.target;
            Tensor flat{};
            flat.offset = step.target.offset;
            flat.channels = static_cast<int>(step.target.floats());
            step.target = flat;
        }
        plan_sum(step);
    }

    const TrainingProgram<C, T>& program_;
    ConvAlgorithm algorithm_;
    const bool* apart_;
    WinogradGrid winograd_[array_bound<T.ops>]{};
    Tensor tensors_[array_bound<T.values>]{};
    long statistics_[array_bound<(C.layers > 0 ? C.layers : 1)>]{};
    TrainingPlan<T> plan_{};
};

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::cpu
