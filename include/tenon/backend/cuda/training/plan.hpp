#pragma once
// IWYU pragma: private, include <tenon/cuda.hpp>

// From a training program to steps on CUDA: layouts, places in memory and scratch memory, all constants.

#include <algorithm>

#include <tenon/backend/cuda/plan/border.hpp>
#include <tenon/backend/cuda/training/norm.hpp>
#include <tenon/backend/cuda/training/step.hpp>
#include <tenon/backend/shared/lower_training_step.hpp>
#include <tenon/core/round.hpp>

namespace tenon::cuda {

/// Everything CUDA needs to train a network: steps and the sizes of all memory.
template <TrainingCapacity T>
struct TrainingPlan : TrainingSteps<TrainingStep, Tensor, T> {
    long image_scalars = 0;      ///< of the arena, per image
    long packed_bytes = 0;       ///< the packed weights of all steps
    long statistics_floats = 0;  ///< numbers of all batch norms
    long max_weights = 0;        ///< floats of the largest weight gradient, padded channels included
    long max_channels = 0;       ///< channels of the largest map that is summed over
    Step load{};                 ///< copies the user's images to `input`
};

/// Builds the plan of a training program for values of `number_bytes` bytes.
template <Capacity C, TrainingCapacity T>
class TrainingPlanner {
public:
    constexpr TrainingPlanner(const TrainingProgram<C, T>& program, int number_bytes)
        : program_{program}, number_bytes_{number_bytes} {}

    constexpr TrainingPlan<T> plan() {
        choose_layouts();
        const long scalars = place_training_values(
            program_, tensors_, [](const Tensor& tensor) { return tensor.scalars(); }, plan_);
        plan_.image_scalars = round_up(scalars, 16);
        plan_.load.target = plan_.input;
        plan_.load.terms[0].source = layout_of(program_.values[0]);
        plan_.load.terms[0].window.top = border_.top;
        plan_.load.terms[0].window.left = border_.left;
        for (long& offset : statistics_) offset = -1;
        for (long& offset : packed_) offset = -1;
        for (const TrainingOp& op : program_.ops) add_step(op);
        return plan_;
    }

private:
    /// Lays out all values, and pads the image (see padded_input).
    constexpr void choose_layouts() {
        for (int i = 0; i < program_.values.size(); ++i) tensors_[i] = layout_of(program_.values[i]);
        bool only_convolutions = tensors_[0].channels < padded_input && !program_.values[0].is_flat();
        for (const TrainingOp& op : program_.ops) {
            const Op& forward = program_.op_of(op);
            const bool window =
                forward.kind == OpKind::conv && (is_forward(op.kind) || op.kind == TrainingKind::weight_gradient);
            for (int t = 0; t < 2; ++t)
                if (op.sources[t] == 0 && (!window || forward.terms[t].groups != 1)) only_convolutions = false;
            if (op.residual == 0 || op.result == 0) only_convolutions = false;
        }
        if (only_convolutions) tensors_[0].pitch = padded_input;
        if (only_convolutions) plan_border();
    }

    /// Stores the image with a border, as inference does, if a convolution that wants one is its only reader: forward,
    /// when it is computed again and by the gradient of its weights.
    constexpr void plan_border() {
        int reader = -1, target = -1;
        for (const TrainingOp& op : program_.ops) {
            if (op.sources[1] == 0 || (op.sources[0] == 0 && reader >= 0 && op.op != reader)) return;
            if (op.sources[0] != 0) continue;
            reader = op.op;
            if (is_forward(op.kind)) target = op.target;
        }
        if (target < 0) return;
        const Window& window = program_.forward.ops[reader].terms[0].window;
        if (ImageBorder::is_for(window, number_bytes_))
            border_.plan(tensors_[0], window, tensors_[target], number_bytes_);
    }

    constexpr Tensor tensor_of(int value) const { return value >= 0 ? tensors_[value] : Tensor{}; }

    constexpr LayerPlaces places_of(int layer) const {
        LayerPlaces places{};
        if (layer < 0) return places;
        const LayerInfo& info = program_.forward.layers[layer];
        for (int i = 0; i < info.parameters; ++i) {
            const Parameter& parameter = program_.forward.parameters[info.first_parameter + i];
            using enum ParameterRole;
            if (parameter.role == weight) places.weight = parameter.offset;
            if (parameter.role == bias) places.bias = parameter.offset;
            if (parameter.role == gamma) places.gamma = parameter.offset;
            if (parameter.role == beta) places.beta = parameter.offset;
            if (parameter.role == running_mean) places.running_mean = parameter.offset;
            if (parameter.role == running_variance) places.running_variance = parameter.offset;
        }
        return places;
    }

    constexpr void add_step(const TrainingOp& op) {
        using enum TrainingKind;
        const Op& forward_op = program_.op_of(op);
        TrainingStep training = lower_training_step<TrainingStep>(program_, op, tensors_);
        Step& step = training.step;
        if (training.layer >= 0) {
            const LayerInfo& info = program_.forward.layers[training.layer];
            training.epsilon = info.epsilon;
            training.momentum = info.momentum;
            training.rate = info.rate;
        }
        for (int t = 0; t < 2; ++t) training.layers[t] = places_of(forward_op.terms[t].layer);
        if (forward_op.kind == OpKind::batch_norm) plan_norm(training, forward_op.layer());
        const Tensor& channels_of = step.target.exists() ? step.target : training.gradient;
        const Tensor& any = channels_of.exists() ? channels_of : step.source();
        training.pack = vector_of(any.channels, 4);
        step.output_vector = vector_of(any.channels, 16 / number_bytes_);
        if (op.kind == weight_gradient) plan_weight_gradient(training, forward_op, op);
        if (op.kind == data_gradient) plan_data_gradient(training, forward_op, op);
        if (is_forward(op.kind) && step.is_product()) plan_sum(training, forward_op, op.sources, packed_[op.op]);
        plan_.steps.push_back(training);
    }

    /// Assigns a place to a batch norm's numbers, aligned for packs of channels.
    constexpr void plan_norm(TrainingStep& training, int layer) {
        const int channels = training.source().channels;
        long& offset = statistics_[layer];
        if (offset < 0) {
            offset = plan_.statistics_floats;
            plan_.statistics_floats += round_up(long{NormNumbers::count} * channels, 8);
        }
        training.statistics = offset;
        need_channels(channels);
    }

    constexpr void need_channels(int channels) { plan_.max_channels = std::max<long>(plan_.max_channels, channels); }

    /// Assigns places to the packed weights of a step, from `first` on. Without one they are new: an operation that is
    /// computed again reads what was packed for the first time.
    constexpr void plan_packed(TrainingStep& training, const Op& op, long& first) {
        training.packs = first < 0;
        if (training.packs) first = plan_.packed_bytes;
        long end = first;
        plan_product(training.step, op, number_bytes_, [&](long bytes) {
            const long offset = end;
            end += round_up(bytes, 256);
            return offset;
        });
        if (training.packs) plan_.packed_bytes = end;
    }

    static constexpr TermPacking packing_of(const Op& op, int term, int outputs, const Tensor& source) {
        TermPacking packing{};
        packing.linear = op.kind == OpKind::linear;
        packing.outputs = packing.rows = outputs;
        packing.groups = op.terms[term].groups;
        packing.inputs = source.channels / packing.groups;
        packing.taps = packing.linear ? static_cast<int>(source.pixels()) : op.terms[term].window.taps();
        return packing;
    }

    constexpr void plan_sum(TrainingStep& training, const Op& op, const int (&sources)[2], long& packed) {
        for (int t = 0; t < 2; ++t)
            if (training.step.terms[t].source.exists())
                training.packing[t] = packing_of(op, t, training.step.target.channels, training.step.terms[t].source);
        if (border_.exists() && sources[0] == 0) border_.read(training.step.terms[0]);
        plan_packed(training, op, packed);
    }

    /// The source of the term, with the gradient as target; a linear layer's source is a map of one pixel.
    constexpr void plan_weight_gradient(TrainingStep& training, const Op& op, const TrainingOp& of) {
        Step& step = training.step;
        const Tensor source = tensor_of(of.sources[of.term]);
        step.terms[0].source = source;
        step.terms[0].window = op.terms[of.term].window;
        step.terms[1] = {};
        step.target = training.gradient;
        step.groups = op.terms[of.term].groups;
        training.layers[0] = places_of(training.layer);
        training.packing[0] = packing_of(op, of.term, step.target.channels, source);
        Term& term = step.terms[0];
        if (op.kind == OpKind::linear) {
            term.map = source;
            term.source.channels = term.source.pitch = static_cast<int>(source.scalars());
            term.source.height = term.source.width = 1;
            term.window = {};
        }
        if (border_.exists() && of.sources[of.term] == 0) border_.read(term);
        term.group_channels = term.row > 0 ? term.row : term.source.pitch / step.groups;
        term.depth = term.window.taps() * term.group_channels;
        step.vector = vector_of(term.group_channels, 16 / number_bytes_);
        step.output_vector = vector_of(step.target.channels / step.groups, 16 / number_bytes_);
        training.pack = vector_of(step.target.channels, 4);
        plan_.max_weights = std::max(plan_.max_weights, long{term.depth} * step.target.channels);
        need_channels(step.target.channels);
    }

    /// The convolution that computes the gradient of a term's source: mirrored taps over a gradient without strides,
    /// outputs as channels. For a linear layer, the features are the outputs of a convolution of one pixel.
    constexpr void plan_data_gradient(TrainingStep& training, const Op& op, const TrainingOp& of) {
        Step& step = training.step;
        const Tensor target = step.target;
        training.packing[0] = packing_of(op, of.term, training.gradient.channels, target);
        training.packing[0].rows = target.channels;
        training.layers[0] = places_of(training.layer);
        training.layers[0].bias = -1;
        step.terms[0] = step.terms[1] = {};
        step.terms[0].source = training.gradient;
        step.residual = training.sum;
        step.residual_stride = 1;
        step.relu = false;
        Op product{};
        product.kind = step.kind = OpKind::conv;
        product.terms[0].groups = op.terms[of.term].groups;
        if (op.kind == OpKind::linear) {
            training.packing[0].rows = static_cast<int>(target.scalars());
            for (Tensor* tensor : {&step.target, &step.residual}) {
                if (!tensor->exists()) continue;
                tensor->channels = tensor->pitch = static_cast<int>(target.scalars());
                tensor->height = tensor->width = 1;
            }
        } else {
            const Window& window = op.terms[of.term].window;
            Window& mirrored = step.terms[0].window;
            mirrored.kernel_height = window.kernel_height;
            mirrored.kernel_width = window.kernel_width;
            mirrored.top = window.kernel_height - 1 - window.top;
            mirrored.left = window.kernel_width - 1 - window.left;
            // A strided 1x1 convolution's gradient has few pixels; they are moved to their places afterwards.
            if (window.is_pointwise()) mirrored.top = mirrored.left = 0;
        }
        long packed = -1;  // nobody else reads them
        plan_packed(training, product, packed);
    }

    const TrainingProgram<C, T>& program_;
    int number_bytes_;
    Tensor tensors_[T.values]{};
    ImageBorder border_{};
    long statistics_[C.layers > 0 ? C.layers : 1]{};
    long packed_[C.ops > 0 ? C.ops : 1]{};  ///< where the weights of a forward operation begin
    TrainingPlan<T> plan_{};
};

}  // namespace tenon::cuda
