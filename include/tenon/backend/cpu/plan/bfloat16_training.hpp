#pragma once
// IWYU pragma: private, include <tenon/training.hpp>

// From a training program to steps whose products are of bfloat16: the plan in floats, and where the rounded operands
// of convolutions and linear layers are.
//
// A rounded value has one of two forms. Words of channels, which inference has too, hold neighboring channels of a
// pixel: forward products and data gradients sum over channels. Words of images hold the same channel of the same pixel
// of two images, the second one in the upper half: weight gradients sum over pixels and images, and whichever pixels
// two taps compare, their images are the same. The words of images 2k and 2k + 1 are in the arena of image 2k, laid
// out like floats. A weight gradient reads its source as words of images and the gradient as words of channels, whose
// two images it interleaves in registers.
//
// Where nobody reads a norm's result or gradient as floats, the norm stores words in place of these. Other values are
// rounded by the first product that reads them, to a place at the end of the arena.

#include <algorithm>

#include <tenon/backend/cpu/plan/training.hpp>
#include <tenon/backend/cpu/quantized/plan.hpp>

namespace tenon::cpu {

/// The most taps of a window that weights are packed for in bfloat16.
inline constexpr int max_bfloat16_taps = 128;

/// What the words of a value hold.
enum class WordsOf : char { none, channels, images };

/// A step of training, and what it has to do with words of bfloat16.
struct Bfloat16TrainingStep : TrainingStep {
    bool is_packed = false;        ///< a product of words
    QuantizedStep product{};       ///< of a forward product or a data gradient: what its kernel runs
    Tensor source_words{};         ///< of a weight gradient, of images
    Tensor gradient_words{};       ///< of a weight gradient, of channels
    bool rounds_source = false;    ///< the step makes the words of what it multiplies by weights, or of `source_words`
    bool rounds_gradient = false;  ///< it makes `gradient_words`
    WordsOf stores = WordsOf::none;  ///< of a norm or its gradient: what it stores, to `stored`, in place of floats
    Tensor stored{};
};

/// Everything the CPU needs to train a network in bfloat16: see TrainingPlan.
template <TrainingCapacity T>
struct Bfloat16TrainingPlan : TrainingSteps<Bfloat16TrainingStep, Tensor, T> {
    long image_floats = 0, packed_floats = 0, statistics_floats = 0, partial_floats = 0, scratch_floats = 0;
    GradientRooms transformed{};
};

inline namespace TENON_ISA_NAMESPACE {

/// The tensor for the words of a map. Where bfloat16 is stored as floats, both forms are the rounded map.
constexpr Tensor training_words(const Tensor& map, WordsOf form) {
    return form == WordsOf::images && multiplies_bfloat16 ? map : words_of(map, Storage::bf16);
}

/// Builds the plan of a training program whose convolutions are not joined (fuse_add).
template <Capacity C, TrainingCapacity T>
class Bfloat16TrainingPlanner {
public:
    constexpr explicit Bfloat16TrainingPlanner(const TrainingProgram<C, T>& program) : program_{program} {
        choose_forms();
    }

    constexpr Bfloat16TrainingPlan<T> plan() {
        const TrainingPlan<T> floats = planner_.plan();
        plan_.forward_steps = floats.forward_steps;
        plan_.input = floats.input;
        plan_.output = floats.output;
        plan_.output_gradient = floats.output_gradient;
        plan_.packed_floats = floats.packed_floats;
        plan_.statistics_floats = floats.statistics_floats;
        plan_.partial_floats = floats.partial_floats;
        plan_.scratch_floats = floats.scratch_floats;
        plan_.transformed = floats.transformed;
        for (int i = 0; i < floats.steps.size(); ++i) add_step(floats.steps[i], i, floats.image_floats);
        // The words of images are after those of channels.
        for (Bfloat16TrainingStep& step : plan_.steps)
            if (step.rounds_source && step.kind == TrainingKind::weight_gradient) step.source_words.offset += room_[0];
        plan_.image_floats = floats.image_floats + room_[0] + room_[1];
        return plan_;
    }

private:
    static constexpr long cache_line = MemoryPlan<C>::alignment;

    static constexpr bool is_norm(const Op& op) { return op.kind == OpKind::batch_norm; }

    /// Whether an operation is a product of bfloat16. Not those in groups, of an image of few channels, which is stored
    /// as planes, of huge windows, and of linear layers that read a map.
    constexpr bool is_product(const TrainingOp& op) const {
        const bool is_gradient = op.kind == TrainingKind::data_gradient || op.kind == TrainingKind::weight_gradient;
        if (!is_forward(op.kind) && !is_gradient) return false;
        const Op& forward = program_.op_of(op);
        const ConvTerm& term = forward.terms[op.term];
        if (term.source < 0) return false;
        const Shape& source = program_.values[term.source];
        if (forward.kind == OpKind::linear) return source.is_flat();
        const bool in_planes = term.source == 0 && source.channels < min_blocked_channels;
        return forward.kind == OpKind::conv && term.groups == 1 && !in_planes &&
               term.window.taps() <= max_bfloat16_taps;
    }

    constexpr bool has_bias_gradient(const TrainingOp& op) const {
        const LayerInfo& layer = program_.forward.layers[program_.op_of(op).terms[op.term].layer];
        return parameter_of(layer, program_.forward.parameters.begin(), ParameterRole::bias) >= 0;
    }

    /// Chooses Winograd, and the form of each value by who reads it and who writes it.
    constexpr void choose_forms() {
        bool floats[array_bound<T.values>]{}, channels[array_bound<T.values>]{}, images[array_bound<T.values>]{};
        for (const int value : {0, program_.output, program_.output_gradient}) floats[value] = true;
        for (int i = 0; i < program_.ops.size(); ++i) {
            const TrainingOp& op = program_.ops[i];
            const WinogradGrid winograd = planner_.template winograd_of<usual_pixels>(op, Rates::bfloat16_share);
            planner_.use_winograd(i, winograd);
            is_packed_[i] = winograd.m == 0 && is_product(op);
            if (!is_packed_[i]) {
                for_each_operand(op, [&](int value) { floats[value] = true; });
                continue;
            }
            for (const int value : {op.residual, op.sum})
                if (value >= 0) floats[value] = true;
            if (op.kind == TrainingKind::weight_gradient) {
                images[op.sources[op.term]] = true;
                channels[op.gradient] = true;
                if (has_bias_gradient(op)) floats[op.gradient] = true;
            } else {
                channels[op.kind == TrainingKind::data_gradient ? op.gradient : op.sources[op.term]] = true;
            }
        }
        for (const TrainingOp& op : program_.ops) {
            if (op.target < 0 || floats[op.target] || !is_norm(program_.op_of(op))) continue;
            const bool both = channels[op.target] && images[op.target];
            if (both || (op.kind == TrainingKind::norm_gradient && images[op.target])) continue;
            if (!channels[op.target] && !images[op.target]) continue;
            form_[op.target] = channels[op.target] ? WordsOf::channels : WordsOf::images;
            apart_[op.target] = true;
        }
    }

    constexpr void add_step(const TrainingStep& in_floats, int index, long end) {
        const TrainingOp& op = program_.ops[index];
        Bfloat16TrainingStep step{};
        static_cast<TrainingStep&>(step) = in_floats;
        if (is_packed_[index]) {
            step.is_packed = true;
            if (op.kind == TrainingKind::weight_gradient)
                plan_weight_gradient(step, op, end);
            else
                plan_product(step, op, end);
        } else if (op.target >= 0 && form_[op.target] != WordsOf::none) {
            step.stores = form_[op.target];
            step.stored = training_words(step.target(), step.stores);
        }
        plan_.steps.push_back(step);
    }

    /// The words of a value: in its place, or after `end`, where `rounds` says whether they must be made.
    constexpr Tensor operand(int value, const Tensor& floats, WordsOf form, long end, bool& rounds) {
        Tensor words = training_words(floats, form);
        if (form_[value] == form) return words;
        words.offset = end;
        long& room = room_[form == WordsOf::images ? 1 : 0];
        room = std::max(room, round_up(words.floats(), cache_line));
        int& held = held_[form == WordsOf::images ? 1 : 0];
        rounds = held != value;
        held = value;
        return words;
    }

    constexpr void plan_product(Bfloat16TrainingStep& step, const TrainingOp& op, long end) {
        const bool is_gradient = op.kind == TrainingKind::data_gradient;
        QuantizedStep& product = step.product;
        static_cast<Step&>(product) = step.step;
        if (product.kind == OpKind::linear && is_gradient) {
            product.target = step.result;
            product.residual = step.sum;
        }
        product.is_packed = true;
        product.stores_target = true;
        StepTerm& term = product.terms[0];
        const int inputs = term.source.channels;
        term.source = operand(is_gradient ? op.gradient : op.sources[op.term], term.source, WordsOf::channels, end,
                              step.rounds_source);
        product.source_codes = {.tensor = term.source, .storage = Storage::bf16};
        term.planes = term.source.planes();
        term.group_inputs = inputs;
        term.group_outputs = product.target.channels;
        product.words = term.source.channels;
        const Window& window = term.window;
        const bool flat = window.is_pointwise() && window.stride_height == 1 && window.stride_width == 1 &&
                          !term.source.has_border() && (!product.residual.exists() || product.residual_stride == 1);
        product.grid = choose_grid(product, flat, false);
        const long blocks = product.target.planes();
        const long depth = long{product.words} * window.taps() * pack_of(Storage::bf16) / weight_pack_of(Storage::bf16);
        product.panels = static_cast<int>((blocks + panel_blocks - 1) / panel_blocks);
        product.panel_floats = depth * panel_blocks * channel_block;
        product.weights = product.factors = product.numbers = 0;
        product.shift = round_up(depth * blocks * channel_block, cache_line);
        need_packed(product.shift + blocks * channel_block);
    }

    constexpr void plan_weight_gradient(Bfloat16TrainingStep& step, const TrainingOp& op, long end) {
        step.source_words = operand(op.sources[op.term], step.source(), WordsOf::images, end, step.rounds_source);
        step.gradient_words = operand(op.gradient, step.target(), WordsOf::channels, end, step.rounds_gradient);
        plan_direct_conv(step.step);
        need_packed(GradientSums{step.step}.max_floats());
    }

    constexpr void need_packed(long floats) {
        plan_.packed_floats = std::max(plan_.packed_floats, round_up(floats, cache_line));
    }

    /// Winograd is chosen as for the tiles of a machine that multiplies bfloat16, as what is rounded should not depend
    /// on the machine.
    static constexpr int usual_pixels = 14;

    const TrainingProgram<C, T>& program_;
    bool is_packed_[array_bound<T.ops>]{};
    WordsOf form_[array_bound<T.values>]{};
    bool apart_[array_bound<T.values>]{};
    long room_[2]{};          ///< for words of channels and of images that are at the end of the arena
    int held_[2] = {-1, -1};  ///< the values whose words are there
    TrainingPlanner<C, T> planner_{program_, ConvAlgorithm::exact, apart_};
    Bfloat16TrainingPlan<T> plan_{};
};

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::cpu
