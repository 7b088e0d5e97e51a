#pragma once
// IWYU pragma: private, include <tenon/training.hpp>

// Pass: from a forward program to the program of a training iteration (reverse-mode differentiation).

#include <tenon/program/training/saved_values.hpp>
#include <tenon/program/training/training_forward.hpp>
#include <tenon/program/training/training_program.hpp>

namespace tenon::detail {

/// Writes a training program, or only counts what it would hold.
template <Capacity C>
class Differentiator {
public:
    constexpr Differentiator(const Program<C>& forward, DifferentiationOptions options)
        : forward_{forward},
          options_{options},
          trained_{forward, options.input_gradient},
          saved_{forward, trained_, options.recompute_activations} {}

    /// Appends to a program of sufficient capacity.
    template <TrainingCapacity T>
    constexpr void write(TrainingProgram<C, T>& program) {
        ops_ = program.ops.items;
        values_ = program.values.items;
        program.forward = forward_;
        run();
        program.ops.count = counts_.ops;
        program.values.count = counts_.values;
        program.forward_ops = forward_ops_;
        program.output = forward_.output;
        program.output_gradient = output_gradient_;
        program.input_gradient = options_.input_gradient ? gradient_[0] : -1;
    }

    constexpr TrainingCapacity count() {
        run();
        return counts_;
    }

    /// The gradient of a value of the forward program, after write(); -1: no gradient flows there.
    constexpr int gradient_of(int value) const { return gradient_[value]; }

private:
    constexpr void run() {
        for (int v = 0; v < forward_.values.size(); ++v) {
            add_value(forward_.values[v]);
            gradient_[v] = available_[v] = -1;
            producer_[v] = -1;
        }
        for (int i = 0; i < forward_.ops.size(); ++i) {
            const Op& op = forward_.ops[i];
            producer_[op.target] = i;
            TrainingOp step = operands(TrainingKind::forward, i);
            if (op.kind == OpKind::batch_norm && !forward_.layers[op.layer()].frozen) {
                TrainingOp statistics{};
                statistics.kind = TrainingKind::statistics;
                statistics.op = i;
                statistics.sources[0] = op.source();
                emit(statistics);
            }
            step.target = op.target;
            emit(step);
        }
        forward_ops_ = counts_.ops;
        output_gradient_ = gradient_[forward_.output] = add_value(forward_.values[forward_.output]);
        for (int i = forward_.ops.size() - 1; i >= 0; --i) {
            const Op& op = forward_.ops[i];
            if (!trained_.depends[op.target] || gradient_[op.target] < 0) continue;
            differentiate(i, op);
            forget_cheap(op);
        }
    }

    constexpr int add_value(Shape shape) {
        if (values_) values_[counts_.values] = shape;
        return counts_.values++;
    }
    constexpr void emit(const TrainingOp& op) {
        if (ops_) ops_[counts_.ops] = op;
        ++counts_.ops;
    }

    /// An operation that reads what the forward operation reads, where the forward pass had it.
    constexpr TrainingOp operands(TrainingKind kind, int index) const {
        const Op& op = forward_.ops[index];
        TrainingOp step{};
        step.kind = kind;
        step.op = index;
        for (int t = 0; t < 2; ++t) step.sources[t] = op.terms[t].source;
        step.residual = op.residual;
        return step;
    }

    /// Where the forward value is available now: saved, or recomputed by operations appended here.
    constexpr int available(int value) {
        if (saved_.saved[value]) return value;
        if (available_[value] >= 0) return available_[value];
        const int index = producer_[value];
        TrainingOp step = operands(TrainingKind::recompute, index);
        for (int& source : step.sources)
            if (source >= 0) source = available(source);
        if (step.residual >= 0) step.residual = available(step.residual);
        step.target = add_value(forward_.values[value]);
        emit(step);
        return available_[value] = step.target;
    }

    /// After an operation's gradients: activations are recomputed once more rather than saved until they are needed
    /// again.
    constexpr void forget_cheap(const Op& op) {
        for_each_operand(op, [&](int value) {
            if (saved_.cheap[value]) available_[value] = -1;
        });
    }

    /// Adds a contribution to the gradient of a value, by an operation that lacks only its sum and its target.
    constexpr void contribute(int value, TrainingOp step) {
        step.sum = gradient_[value];
        step.target = add_value(forward_.values[value]);
        gradient_[value] = step.target;
        emit(step);
    }

    /// Adds a gradient itself; the first one needs no operation.
    constexpr void contribute_same(int value, int index, int gradient) {
        if (!trained_.depends[value]) return;
        if (gradient_[value] < 0) {
            gradient_[value] = gradient;
            return;
        }
        contribute(value, gradient_op(TrainingKind::add_gradient, index, gradient));
    }

    static constexpr TrainingOp gradient_op(TrainingKind kind, int index, int gradient) {
        TrainingOp step{};
        step.kind = kind;
        step.op = index;
        step.gradient = gradient;
        return step;
    }

    constexpr void differentiate(int index, const Op& op) {
        int gradient = gradient_[op.target];
        if (op.relu && op.kind != OpKind::batch_norm) {
            TrainingOp step = gradient_op(TrainingKind::relu_gradient, index, gradient);
            step.result = available(op.target);
            gradient = step.target = add_value(forward_.values[op.target]);
            emit(step);
        }
        const int source = op.source();
        using enum OpKind;
        if (traits_of(op.kind).is_elementwise) {
            if (!trained_.depends[source]) return;
            TrainingOp step = gradient_op(TrainingKind::activation_gradient, index, gradient);
            step.result = available(traits_of(op.kind).gradient_reads_result ? op.target : source);
            return contribute(source, step);
        }
        switch (op.kind) {
            case conv:
            case linear:
                differentiate_sum(index, op, gradient);
                return;
            case add:
                contribute_same(source, index, gradient);
                contribute_same(op.residual, index, gradient);
                return;
            case batch_norm: {
                TrainingOp step = gradient_op(TrainingKind::norm_gradient, index, gradient);
                step.sources[0] = available(source);
                if (trained_.depends[source])
                    contribute(source, step);
                else
                    emit(step);
                return;
            }
            case multiply:
                for (int t = 0; t < 2; ++t) {
                    if (!trained_.depends[op.terms[t].source]) continue;
                    TrainingOp step = gradient_op(TrainingKind::product_gradient, index, gradient);
                    step.term = t;
                    step.sources[1 - t] = available(op.terms[1 - t].source);
                    contribute(op.terms[t].source, step);
                }
                return;
            case relu:
            case dropout:
            case scale:
            case softmax: {
                TrainingOp step = gradient_op(TrainingKind::activation_gradient, index, gradient);
                if (op.kind == softmax) step.result = available(op.target);
                // A ReLU's result is above zero where its operand is, and that one is at hand.
                if (op.kind == relu) step.result = saved_.saved[op.target] ? op.target : available(source);
                if (trained_.depends[source]) contribute(source, step);
                return;
            }
            default: {  // poolings, paddings of channels
                if (!trained_.depends[source]) return;
                TrainingOp step = gradient_op(TrainingKind::pool_gradient, index, gradient);
                const OpTraits& traits =
                    traits_of(op.kind);  // a maximum's place is found again in what it was taken of
                if (traits.is_maximum && (traits.is_global_pooling || !op.window().is_pointwise()))
                    step.sources[0] = available(source);
                contribute(source, step);
            }
        }
    }

    /// A convolution or linear layer: sums of products, and a residual.
    constexpr void differentiate_sum(int index, const Op& op, int gradient) {
        if (op.residual >= 0 && op.residual_stride == 1) contribute_same(op.residual, index, gradient);
        if (op.residual >= 0 && op.residual_stride > 1 && trained_.depends[op.residual])
            contribute(op.residual, gradient_op(TrainingKind::subsample_gradient, index, gradient));
        for (int t = 0; t < 2; ++t) {
            const ConvTerm& term = op.terms[t];
            if (term.source < 0) continue;
            if (trained_.is_trained(forward_, term.layer)) {
                TrainingOp step = gradient_op(TrainingKind::weight_gradient, index, gradient);
                step.term = t;
                step.sources[t] = available(term.source);
                emit(step);
            }
            if (trained_.depends[term.source]) differentiate_source(index, op, t, gradient);
        }
    }

    constexpr void differentiate_source(int index, const Op& op, int t, int gradient) {
        const ConvTerm& term = op.terms[t];
        TrainingOp step = gradient_op(TrainingKind::data_gradient, index, gradient);
        step.term = t;
        const Window& window = term.window;
        const bool strided = window.stride_height > 1 || window.stride_width > 1;
        if (!options_.spread_strides || !strided) return contribute(term.source, step);
        const Shape output = forward_.values[op.target], input = forward_.values[term.source];
        if (window.is_pointwise()) {  // the products, of few pixels, first; then they go to their places
            step.target = add_value({input.channels, output.height, output.width});
            emit(step);
            TrainingOp scatter = gradient_op(TrainingKind::subsample_gradient, index, step.target);
            scatter.term = t;
            return contribute(term.source, scatter);
        }
        TrainingOp spread = gradient_op(TrainingKind::spread, index, gradient);
        spread.term = t;
        spread.target = add_value({output.channels, (output.height - 1) * window.stride_height + 1,
                                   (output.width - 1) * window.stride_width + 1});
        emit(spread);
        step.gradient = spread.target;
        contribute(term.source, step);
    }

    const Program<C>& forward_;
    DifferentiationOptions options_;
    TrainedValues<C> trained_;
    SavedValues<C> saved_;
    TrainingOp* ops_ = nullptr;
    Shape* values_ = nullptr;
    TrainingCapacity counts_{};
    int forward_ops_ = 0, output_gradient_ = -1;
    int gradient_[array_bound<C.values + 2>]{};   // of each forward value so far; -1: none
    int available_[array_bound<C.values + 2>]{};  // the recomputed value; -1: none
    int producer_[array_bound<C.values + 2>]{};
};

/// The capacity of the training program of a forward program.
template <Capacity C>
constexpr TrainingCapacity training_capacity(const Program<C>& forward, DifferentiationOptions options) {
    return Differentiator<C>{forward, options}.count();
}

/// The training program of a forward program (training_forward), of the capacity that was counted for it.
template <TrainingCapacity T, Capacity C>
constexpr TrainingProgram<C, T> differentiate(const Program<C>& forward, DifferentiationOptions options) {
    TrainingProgram<C, T> program{};
    Differentiator<C>{forward, options}.write(program);
    return program;
}

}  // namespace tenon::detail
