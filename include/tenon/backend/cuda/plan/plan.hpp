#pragma once
// IWYU pragma: private, include <tenon/inference.hpp>

// From a program to steps on CUDA: layouts, places in memory and the layout of the weights, all constants.

#include <tenon/backend/cuda/plan/border.hpp>
#include <tenon/backend/cuda/plan/step.hpp>
#include <tenon/backend/shared/lower_step.hpp>
#include <tenon/core/min_max.hpp>
#include <tenon/core/round.hpp>
#include <tenon/program/memory/plan_memory.hpp>
#include <tenon/program/passes/add_transfers.hpp>

namespace tenon::cuda {

/// Everything CUDA needs to run a network: steps and the sizes of all memory.
template <Capacity C>
struct Plan {
    FixedVector<Step, C.ops + 2> steps{};
    long image_scalars = 0;  ///< of the arena, per image
    long weight_bytes = 0;
};

/// The largest power of two that divides `count` and is at most `max_width`.
constexpr int vector_of(int count, int max_width) {
    int vector = max_width;
    while (count % vector != 0) vector /= 2;
    return vector;
}

/// Completes the product of a convolution or linear layer: `op` has its kind and its terms' groups, and
/// take_weights(bytes) returns a place for weights. Terms with the same groups are computed group by group; terms with
/// different ones as if there were no groups, with zero weights between groups.
template <class TakeWeights>
constexpr void plan_product(Step& step, const Op& op, int number_bytes, const TakeWeights& take_weights) {
    constexpr int copy_bytes = 16;  // the most that a thread loads at once
    const int outputs = step.result().channels;
    step.groups = op.kind == OpKind::conv ? op.terms[0].groups : 1;
    if (op.has_second_convolution() && op.terms[1].groups != step.groups) step.groups = 1;
    step.vector = copy_bytes / number_bytes;
    for (int i = 0; i < 2; ++i) {
        Term& term = step.terms[i];
        if (!term.source.exists()) continue;
        term.inputs = term.source.channels / op.terms[i].groups;
        if (op.kind == OpKind::linear) {
            term.map = term.source;
            term.source.channels = term.source.pitch = static_cast<int>(term.source.scalars());
            term.source.height = term.source.width = 1;
            term.window = {};
        }
        term.group_channels = term.row > 0 ? term.row : term.source.pitch / step.groups;
        term.depth = term.window.taps() * term.group_channels;
        term.weights = take_weights(long{term.depth} * outputs * number_bytes);
        step.vector = std::min(step.vector, vector_of(term.group_channels, step.vector));
    }
    // In 16 bits also as libraries read it, rounded.
    step.shift = take_weights(outputs * (long{sizeof(float)} + (number_bytes < 4 ? number_bytes : 0)));
    step.output_vector = vector_of(outputs / step.groups, copy_bytes / number_bytes);
}

/// Builds the plan of an optimized program for values of `number_bytes` bytes.
template <Capacity C>
class Planner {
public:
    constexpr Planner(const Program<C>& program, int number_bytes)
        : program_{add_transfers(program)}, number_bytes_{number_bytes} {}

    constexpr Plan<C> plan() {
        choose_layouts();
        long sizes[array_bound<C.values + 2>]{};
        for (int i = 1; i < program_.values.size(); ++i) sizes[i] = is_used(i) ? tensors_[i].scalars() : 0;
        const MemoryPlan<C> memory =
            plan_memory(program_, sizes, [&](int a, int b) { return tensors_[a].same_form(tensors_[b]); });
        for (int i = 0; i < program_.values.size(); ++i) tensors_[i].offset = memory.offset[i];
        plan_.image_scalars = round_up(memory.size, 16);
        for (int i = 0; i < program_.ops.size(); ++i) add_step(i);
        return plan_;
    }

private:
    static constexpr long weight_alignment = 256;

    constexpr bool is_used(int value) const {
        for (const Op& op : program_.ops)
            if (op.target == value || op.activated == value) return true;
        return false;
    }

    /// Lays out all values, and pads the copy of the image (see padded_input).
    constexpr void choose_layouts() {
        const int copy = program_.ops[0].target;
        for (int i = 0; i < program_.values.size(); ++i) tensors_[i] = layout_of(program_.values[i]);
        bool only_convolutions = tensors_[copy].channels < padded_input && program_.output != copy;
        for (const Op& op : program_.ops) {
            if (op.residual == copy) only_convolutions = false;
            for (const ConvTerm& term : op.terms)
                if (term.source == copy && (op.kind != OpKind::conv || term.groups != 1)) only_convolutions = false;
        }
        if (only_convolutions) tensors_[copy].pitch = padded_input;
        if (only_convolutions) plan_border(copy);
    }

    /// Stores the image with a border if its only reader is a convolution that wants one.
    constexpr void plan_border(int copy) {
        int reader = -1;
        for (int i = 0; i < program_.ops.size(); ++i) {
            const Op& op = program_.ops[i];
            if (op.terms[1].source == copy || (op.terms[0].source == copy && reader >= 0)) return;
            if (op.terms[0].source == copy) reader = i;
        }
        if (reader < 0) return;
        const Op& op = program_.ops[reader];
        const Window& window = op.terms[0].window;
        if (ImageBorder::is_for(window, number_bytes_))
            border_.plan(tensors_[copy], window, tensors_[op.target >= 0 ? op.target : op.activated], number_bytes_);
    }

    constexpr long take_weights(long bytes) {
        const long offset = plan_.weight_bytes;
        plan_.weight_bytes += round_up(bytes, weight_alignment);
        return offset;
    }

    constexpr void add_step(int index) {
        const Op& op = program_.ops[index];
        Step step = lower_step<Step>(program_, index, tensors_);
        const int channels = step.result().channels;
        if (border_.exists() && index == 0) {
            step.terms[0].window.top = border_.top;
            step.terms[0].window.left = border_.left;
        }
        if (border_.exists() && op.terms[0].source == program_.ops[0].target) border_.read(step.terms[0]);
        if (step.is_product())
            plan_product(step, op, number_bytes_, [&](long bytes) { return take_weights(bytes); });
        else
            step.output_vector = channels > 0 ? vector_of(channels, 16 / number_bytes_) : 1;
        if (step.activated.exists()) step.activated_scale = take_weights(2 * channels * long{sizeof(float)});
        plan_.steps.push_back(step);
    }

    Program<C> program_;
    int number_bytes_;
    Tensor tensors_[array_bound<C.values + 2>]{};
    ImageBorder border_{};
    Plan<C> plan_{};
};

}  // namespace tenon::cuda
