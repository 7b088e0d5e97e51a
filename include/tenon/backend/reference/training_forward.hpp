#pragma once
// IWYU pragma: private, include <tenon/training.hpp>

// The forward operations of a training iteration, naively: those of inference on each image, and what a batch changes
// about batch norms and dropouts.

#include <algorithm>
#include <cmath>

#include <tenon/backend/reference/training_state.hpp>

namespace tenon::reference {
inline namespace TENON_ISA_NAMESPACE {

/// Runs forward operations of a training iteration on a batch.
template <class Scalar>
class Forward {
public:
    using State = TrainingState<Scalar>;
    using Vector = typename State::Vector;

    explicit Forward(State& state) : state_{state} {}

    /// Mean and deviation over the batch, biased, for normalizing; the running statistics move towards them, the
    /// variance unbiased, as torch does.
    void statistics(const Op& op, int source) {
        const Vector& x = state_.value(source);
        const Shape shape = state_.shape(source);
        const int layer = op.layer();
        const long count = state_.batch * shape.pixels();
        auto &means = state_.mean[index(layer)], &inverse = state_.inverse_deviation[index(layer)];
        means.assign(index(shape.channels), Scalar{0});
        inverse.assign(index(shape.channels), Scalar{0});
        for (std::size_t i = 0; i < x.size(); ++i) means[channel_of(shape, i)] += x[i];
        for (Scalar& mean : means) mean /= static_cast<Scalar>(count);
        for (std::size_t i = 0; i < x.size(); ++i) {
            const Scalar centered = x[i] - means[channel_of(shape, i)];
            inverse[channel_of(shape, i)] += centered * centered;
        }
        const auto momentum = static_cast<Scalar>(state_.layer(layer).momentum);
        for (std::size_t c = 0; c < means.size(); ++c) {
            const Scalar variance = inverse[c] / static_cast<Scalar>(count);
            if (state_.update_running) {
                Scalar &mean = state_.parameter(layer, ParameterRole::running_mean)[c],
                       &running = state_.parameter(layer, ParameterRole::running_variance)[c];
                mean = (1 - momentum) * mean + momentum * means[c];
                running = (1 - momentum) * running + momentum * (inverse[c] / static_cast<Scalar>(count - 1));
            }
            inverse[c] = 1 / std::sqrt(variance + static_cast<Scalar>(state_.layer(layer).epsilon));
        }
    }

    /// Computes op's result into `step.target`.
    void run(const Op& op, const TrainingOp& step) {
        Vector y(index(state_.batch * state_.shape(step.target).elements()), Scalar{0});
        compute(op, step, y);
        if (step.residual >= 0 && op.kind != OpKind::add) add_residual(op, step, y);
        if (op.relu)
            for (Scalar& value : y) value = value < 0 ? Scalar{0} : value;
        state_.value(step.target) = std::move(y);
    }

private:
    void compute(const Op& op, const TrainingOp& step, Vector& y) {
        const Vector& x = state_.value(step.sources[0]);
        const Shape in = state_.shape(step.sources[0]), out = state_.shape(step.target);
        switch (op.kind) {
            case OpKind::conv:
            case OpKind::linear:
                for (int t = 0; t < 2; ++t)
                    if (step.sources[t] >= 0) add_term(op, op.terms[t], step.sources[t], out, y);
                return;
            case OpKind::batch_norm:
                return normalize(op.layer(), x, in, y);
            case OpKind::dropout: {
                const DropoutMask mask = state_.mask(op.layer());
                for (std::size_t i = 0; i < y.size(); ++i)
                    y[i] = x[i] * static_cast<Scalar>(mask(static_cast<long>(i)));
                return;
            }
            default: {
                const int second = op.kind == OpKind::add ? step.residual : step.sources[1];
                const double rate = op.layer() < 0 ? 0.0 : state_.layer(op.layer()).rate;
                for (long n = 0; n < state_.batch; ++n)
                    run_plain(op, rate, in, out, x.data() + n * in.elements(),
                              second < 0 ? nullptr : state_.value(second).data() + n * out.elements(),
                              y.data() + n * out.elements());
            }
        }
    }

    /// Adds a term's products, then its bias.
    void add_term(const Op& op, const ConvTerm& term, int source, Shape out, Vector& y) {
        const Shape in = state_.shape(source);
        Vector copies[2];
        const auto operand = [&](std::span<const Scalar> values, Vector& copy) {
            return state_.rounded(term.layer, TrainingKind::forward, values, copy);
        };
        const auto x = operand(state_.value(source), copies[0]);
        const auto weight = operand(state_.parameter(term.layer, ParameterRole::weight), copies[1]);
        for (long n = 0; n < state_.batch; ++n)
            add_products(op, term, in, out, x.data() + n * in.elements(), weight.data(), y.data() + n * out.elements());
        const auto bias = state_.parameter(term.layer, ParameterRole::bias);
        if (bias.empty()) return;
        for (std::size_t i = 0; i < y.size(); ++i) y[i] += bias[channel_of(out, i)];
    }

    void normalize(int layer, const Vector& x, Shape in, Vector& y) {
        for (std::size_t i = 0; i < y.size(); ++i) {
            const std::size_t c = channel_of(in, i);
            y[i] =
                (x[i] - state_.norm_mean(layer, c)) * state_.norm_inverse_deviation(layer, c) * state_.gamma(layer, c) +
                state_.beta(layer, c);
        }
    }

    void add_residual(const Op& op, const TrainingOp& step, Vector& y) {
        const Vector& residual = state_.value(step.residual);
        const Shape in = state_.shape(step.residual), out = state_.shape(step.target);
        const int rows = std::max(out.height, 1), columns = std::max(out.width, 1), width = std::max(in.width, 1);
        for (std::size_t i = 0; i < y.size(); ++i) {
            const long element = static_cast<long>(i);
            const long column = element % columns, row = element / columns % rows, map = element / columns / rows;
            y[i] += residual[index(map * in.pixels() + row * op.residual_stride * width + column * op.residual_stride)];
        }
    }

    State& state_;
};

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::reference
