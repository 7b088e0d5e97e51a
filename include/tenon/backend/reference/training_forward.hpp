// The forward operations of a training step, naively: one loop per dimension.
#pragma once

#include <limits>

#include <tenon/backend/reference/training_state.hpp>

namespace tenon {
inline namespace TENON_ISA_NAMESPACE {

/// Runs forward operations of a training step on a batch.
template <class Scalar>
class ReferenceForward {
public:
    using State = TrainingState<Scalar>;
    using Vector = typename State::Vector;

    explicit ReferenceForward(State& state) : state_{state} {}

    /// Mean and deviation over the batch, biased, for normalising; the running statistics move towards them, the
    /// variance unbiased, as torch does.
    void statistics(const Op& op, int source) {
        const Vector& x = state_.value(source);
        const Shape shape = state_.shape(source);
        const int layer = op.layer();
        const long count = state_.batch * shape.pixels();
        auto &means = state_.mean[at(layer)], &inverse = state_.inverse_deviation[at(layer)];
        means.assign(at(shape.channels), Scalar{0});
        inverse.assign(at(shape.channels), Scalar{0});
        for (std::size_t i = 0; i < x.size(); ++i) means[channel(shape, i)] += x[i];
        for (Scalar& mean : means) mean /= static_cast<Scalar>(count);
        for (std::size_t i = 0; i < x.size(); ++i) {
            const Scalar centred = x[i] - means[channel(shape, i)];
            inverse[channel(shape, i)] += centred * centred;
        }
        const auto momentum = static_cast<Scalar>(state_.layer(layer).momentum);
        for (std::size_t c = 0; c < means.size(); ++c) {
            const Scalar variance = inverse[c] / static_cast<Scalar>(count);
            if (state_.update_running) {
                Scalar &mean = state_.running(layer, 0)[c], &running = state_.running(layer, 1)[c];
                mean = (1 - momentum) * mean + momentum * means[c];
                running = (1 - momentum) * running + momentum * (inverse[c] / static_cast<Scalar>(count - 1));
            }
            inverse[c] = 1 / std::sqrt(variance + static_cast<Scalar>(state_.layer(layer).epsilon));
        }
    }

    /// Computes op's result into `step.target`.
    void run(const Op& op, const TrainingOp& step) {
        Vector y(at(state_.batch * state_.shape(step.target).elements()), Scalar{0});
        compute(op, step, y);
        if (step.residual >= 0) add_residual(op, step, y);
        if (op.relu)
            for (Scalar& value : y) value = value < 0 ? Scalar{0} : value;
        state_.value(step.target) = std::move(y);
    }

private:
    static std::size_t at(long index) { return static_cast<std::size_t>(index); }
    static std::size_t channel(Shape shape, std::size_t element) {
        return element / at(shape.pixels()) % at(shape.channels);
    }

    void compute(const Op& op, const TrainingOp& step, Vector& y) {
        const Vector& x = state_.value(step.sources[0]);
        const Shape in = state_.shape(step.sources[0]), out = state_.shape(step.target);
        switch (op.kind) {
            case OpKind::conv:
            case OpKind::linear:
                for (int t = 0; t < 2; ++t)
                    if (step.sources[t] >= 0) add_products(op, op.terms[t], step.sources[t], out, y);
                return;
            case OpKind::batch_norm:
                return normalize(op, x, in, y);
            case OpKind::relu:
                for (std::size_t i = 0; i < y.size(); ++i) y[i] = x[i] < 0 ? Scalar{0} : x[i];
                return;
            case OpKind::dropout: {
                const DropoutMask mask = state_.mask(op.layer());
                for (std::size_t i = 0; i < y.size(); ++i)
                    y[i] = x[i] * static_cast<Scalar>(mask(static_cast<long>(i)));
                return;
            }
            case OpKind::scale:
                for (std::size_t i = 0; i < y.size(); ++i)
                    y[i] = x[i] * static_cast<Scalar>(state_.layer(op.layer()).rate);
                return;
            case OpKind::sigmoid:
                for (std::size_t i = 0; i < y.size(); ++i) y[i] = 1 / (1 + std::exp(-x[i]));
                return;
            case OpKind::multiply:
                for (std::size_t i = 0; i < y.size(); ++i) y[i] = x[i] * state_.value(step.sources[1])[i];
                return;
            case OpKind::pad_channels:
                for (long n = 0; n < state_.batch; ++n)
                    for_each_padded_pixel(op.window(), in, out, [&](long o, long i) {
                        y[at(n * out.elements() + o)] = x[at(n * in.elements() + i)];
                    });
                return;
            case OpKind::softmax:
                return softmax(x, at(in.elements()), y);
            case OpKind::add:
                y = x;
                return;
            default:
                return pool(op, x, in, out, y);
        }
    }

    void add_products(const Op& op, const ConvTerm& term, int source, Shape out, Vector& y) {
        const Shape in = state_.shape(source);
        const Vector& x = state_.value(source);
        const auto weight = state_.parameter(term.layer, 0);
        for (long n = 0; n < state_.batch; ++n) {
            const Scalar* from = x.data() + n * in.elements();
            Scalar* to = y.data() + n * out.elements();
            for_each_product(term, op.kind == OpKind::linear, in, out,
                             [&](long o, long i, long w) { to[o] += from[i] * weight[at(w)]; });
        }
        if (!state_.has_bias(term.layer)) return;
        const auto bias = state_.parameter(term.layer, 1);
        for (std::size_t i = 0; i < y.size(); ++i) y[i] += bias[channel(out, i)];
    }

    void normalize(const Op& op, const Vector& x, Shape in, Vector& y) {
        const int layer = op.layer();

        for (std::size_t i = 0; i < y.size(); ++i) {
            const std::size_t c = channel(in, i);
            y[i] =
                (x[i] - mean(layer, c)) * inverse_deviation(layer, c) * state_.gamma(layer, c) + state_.beta(layer, c);
        }
    }

    static void softmax(const Vector& x, std::size_t classes, Vector& y) {
        for (std::size_t first = 0; first < x.size(); first += classes) {
            Scalar largest = x[first], sum = 0;
            for (std::size_t i = first; i < first + classes; ++i) largest = std::max(largest, x[i]);
            for (std::size_t i = first; i < first + classes; ++i) sum += y[i] = std::exp(x[i] - largest);
            for (std::size_t i = first; i < first + classes; ++i) y[i] /= sum;
        }
    }

    void pool(const Op& op, const Vector& x, Shape in, Shape out, Vector& y) {
        for (long n = 0; n < state_.batch; ++n) {
            const Scalar* from = x.data() + n * in.elements();
            Scalar* to = y.data() + n * out.elements();
            const std::vector<long> choices = pool_choices(op, in, out, from);
            if (is_max(op.kind)) {
                for (std::size_t o = 0; o < choices.size(); ++o) to[o] = choices[o] < 0 ? Scalar{0} : from[choices[o]];
                continue;
            }
            for_each_window_pixel(op, in, out, [&](long o, bool inside, long i) {
                if (inside) to[o] += from[i];
            });
            for (std::size_t o = 0; o < choices.size(); ++o) to[o] /= static_cast<Scalar>(choices[o]);
        }
    }

    void add_residual(const Op& op, const TrainingOp& step, Vector& y) {
        const Vector& residual = state_.value(step.residual);
        const Shape in = state_.shape(step.residual), out = state_.shape(step.target);
        const int rows = std::max(out.height, 1), columns = std::max(out.width, 1), width = std::max(in.width, 1);
        for (std::size_t i = 0; i < y.size(); ++i) {
            const long element = static_cast<long>(i);
            const long column = element % columns, row = element / columns % rows, map = element / columns / rows;
            y[i] += residual[at(map * in.pixels() + row * op.residual_stride * width + column * op.residual_stride)];
        }
    }

public:
    /// Mean and reciprocal deviation that a batch norm normalises by: the batch's, or the running ones if it is frozen.
    Scalar mean(int layer, std::size_t c) const {
        return state_.layer(layer).frozen ? state_.running(layer, 0)[c] : state_.mean[at(layer)][c];
    }
    Scalar inverse_deviation(int layer, std::size_t c) const {
        if (!state_.layer(layer).frozen) return state_.inverse_deviation[at(layer)][c];
        return 1 / std::sqrt(state_.running(layer, 1)[c] + static_cast<Scalar>(state_.layer(layer).epsilon));
    }

private:
    State& state_;
};

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon
