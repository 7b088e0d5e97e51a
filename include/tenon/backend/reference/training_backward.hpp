#pragma once
// IWYU pragma: private, include <tenon/training.hpp>

// The gradients of a training iteration, naively: one loop per dimension.

#include <algorithm>

#include <tenon/backend/reference/training_forward.hpp>

namespace tenon::reference {
inline namespace TENON_ISA_NAMESPACE {

/// Runs operations of a training step on a batch, all kinds of them.
template <class Scalar>
class TrainingInterpreter {
public:
    using State = TrainingState<Scalar>;
    using Vector = typename State::Vector;

    explicit TrainingInterpreter(State& state) : state_{state}, forward_{state} {}

    /// Runs one operation; `op` is the forward operation that `step` belongs to.
    void run(const Op& op, const TrainingOp& step) {
        switch (step.kind) {
            case TrainingKind::forward:
            case TrainingKind::recompute:
                return forward_.run(op, step);
            case TrainingKind::statistics:
                return forward_.statistics(op, step.sources[0]);
            case TrainingKind::relu_gradient:
                return pointwise(step, [&](std::size_t i) { return masked(step, i); });
            case TrainingKind::add_gradient:
                return pointwise(step, [&](std::size_t i) { return state_.value(step.gradient)[i]; });
            case TrainingKind::data_gradient:
                return data_gradient(op, step);
            case TrainingKind::weight_gradient:
                return weight_gradient(op, step);
            case TrainingKind::norm_gradient:
                return norm_gradient(op, step);
            case TrainingKind::product_gradient: {
                const Vector& other = state_.value(step.sources[1 - step.term]);
                return pointwise(step, [&](std::size_t i) { return state_.value(step.gradient)[i] * other[i]; });
            }
            case TrainingKind::pool_gradient:
                return pool_gradient(op, step);
            case TrainingKind::subsample_gradient:
                return place(step,
                             op.residual_stride > 1 ? op.residual_stride : op.terms[step.term].window.stride_height,
                             op.residual_stride > 1 ? op.residual_stride : op.terms[step.term].window.stride_width);
            case TrainingKind::spread:
                return place(step, op.terms[step.term].window.stride_height, op.terms[step.term].window.stride_width);
            case TrainingKind::activation_gradient:
                return activation_gradient(op, step);
        }
    }

private:
    template <class F>
    void pointwise(const TrainingOp& step, const F& f) {
        Vector& target = state_.start(step.target, step.sum);
        for (std::size_t i = 0; i < target.size(); ++i) target[i] += f(i);
    }

    /// Zero where the result is zero or below; a NaN lets the gradient pass, as in torch.
    Scalar masked(const TrainingOp& step, std::size_t i) {
        const Scalar gradient = state_.value(step.gradient)[i];
        return state_.value(step.result)[i] <= 0 || (state_.guided && gradient < 0) ? Scalar{0} : gradient;
    }

    void data_gradient(const Op& op, const TrainingOp& step) {
        const ConvTerm& term = op.terms[step.term];
        const Shape in = state_.shape(step.target), out = state_.shape(step.gradient);
        Vector copies[2];
        const auto weight =
            state_.rounded(term.layer, step.kind, state_.parameter(term.layer, ParameterRole::weight), copies[0]);
        const auto gradient = state_.rounded(term.layer, step.kind, state_.value(step.gradient), copies[1]);
        Vector& target = state_.start(step.target, step.sum);
        for (long n = 0; n < state_.batch; ++n) {
            const Scalar* from = gradient.data() + n * out.elements();
            Scalar* to = target.data() + n * in.elements();
            for_each_product(term, op.kind == OpKind::linear, in, out,
                             [&](long o, long i, long w) { to[i] += from[o] * weight[index(w)]; });
        }
    }

    void weight_gradient(const Op& op, const TrainingOp& step) {
        const ConvTerm& term = op.terms[step.term];
        const int source = step.sources[step.term];
        const Shape in = state_.shape(source), out = state_.shape(step.gradient);
        const Vector& gradient = state_.value(step.gradient);
        Vector copies[2];
        const auto factors = state_.rounded(term.layer, step.kind, gradient, copies[0]);
        const auto x = state_.rounded(term.layer, step.kind, state_.value(source), copies[1]);
        const auto result = state_.gradient(term.layer, ParameterRole::weight);
        std::fill(result.begin(), result.end(), Scalar{0});
        for (long n = 0; n < state_.batch; ++n) {
            const Scalar* outputs = factors.data() + n * out.elements();
            const Scalar* inputs = x.data() + n * in.elements();
            for_each_product(term, op.kind == OpKind::linear, in, out,
                             [&](long o, long i, long w) { result[index(w)] += outputs[o] * inputs[i]; });
        }
        const auto bias = state_.gradient(term.layer, ParameterRole::bias);
        if (bias.empty()) return;
        std::fill(bias.begin(), bias.end(), Scalar{0});
        for (std::size_t i = 0; i < gradient.size(); ++i) bias[channel_of(out, i)] += gradient[i];
    }

    void norm_gradient(const Op& op, const TrainingOp& step) {
        const int layer = op.layer();
        const bool frozen = state_.layer(layer).frozen;
        const Vector &x = state_.value(step.sources[0]), &gradient = state_.value(step.gradient);
        const Shape shape = state_.shape(step.sources[0]);
        const auto normalized = [&](std::size_t i) {
            const std::size_t c = channel_of(shape, i);
            return (x[i] - state_.norm_mean(layer, c)) * state_.norm_inverse_deviation(layer, c);
        };
        const auto passed = [&](std::size_t i) {  // the gradient after the ReLU
            const std::size_t c = channel_of(shape, i);
            return op.relu && normalized(i) * state_.gamma(layer, c) + state_.beta(layer, c) <= 0 ? Scalar{0}
                                                                                                  : gradient[i];
        };
        Vector beta_gradient(index(shape.channels)), gamma_gradient(index(shape.channels));
        for (std::size_t i = 0; i < x.size(); ++i) {
            beta_gradient[channel_of(shape, i)] += passed(i);
            gamma_gradient[channel_of(shape, i)] += passed(i) * normalized(i);
        }
        if (!frozen && !state_.gradient(layer, ParameterRole::gamma).empty()) {
            std::ranges::copy(gamma_gradient, state_.gradient(layer, ParameterRole::gamma).begin());
            std::ranges::copy(beta_gradient, state_.gradient(layer, ParameterRole::beta).begin());
        }
        if (step.target < 0) return;
        const auto count = static_cast<Scalar>(state_.batch * shape.pixels());
        pointwise(step, [&](std::size_t i) {
            const std::size_t c = channel_of(shape, i);
            Scalar centered = passed(i);
            if (!frozen) centered -= (beta_gradient[c] + normalized(i) * gamma_gradient[c]) / count;
            return state_.gamma(layer, c) * state_.norm_inverse_deviation(layer, c) * centered;
        });
    }

    void pool_gradient(const Op& op, const TrainingOp& step) {
        const Shape in = state_.shape(step.target), out = state_.shape(step.gradient);
        const Vector& gradient = state_.value(step.gradient);
        Vector& target = state_.start(step.target, step.sum);
        const Vector none(index(in.elements()), Scalar{0});
        for (long n = 0; n < state_.batch; ++n) {
            const Scalar* from = gradient.data() + n * out.elements();
            Scalar* to = target.data() + n * in.elements();
            if (op.kind == OpKind::pad_channels) {
                for_each_padded_pixel(op.window(), in, out, [&](long o, long i) { to[i] += from[o]; });
                continue;
            }
            const Scalar* x =
                step.sources[0] >= 0 ? state_.value(step.sources[0]).data() + n * in.elements() : none.data();
            const std::vector<long> choices = pool_choices(op, in, out, x);
            if (traits_of(op.kind).is_maximum) {
                for (std::size_t o = 0; o < choices.size(); ++o)
                    if (choices[o] >= 0) to[choices[o]] += from[o];
                continue;
            }
            for_each_window_pixel(op, in, out, [&](long o, bool inside, long i) {
                if (inside) to[i] += from[o] / static_cast<Scalar>(choices[index(o)]);
            });
        }
    }

    /// Adds each pixel of the gradient to every n-th pixel of the target.
    void place(const TrainingOp& step, int rows, int columns) {
        const Shape in = state_.shape(step.target), out = state_.shape(step.gradient);
        const Vector& gradient = state_.value(step.gradient);
        Vector& target = state_.start(step.target, step.sum);
        for (std::size_t i = 0; i < gradient.size(); ++i) {
            const long element = static_cast<long>(i);
            const long column = element % out.width, row = element / out.width % out.height;
            target[index(element / out.pixels() * in.pixels() + row * rows * in.width + column * columns)] +=
                gradient[i];
        }
    }

    void activation_gradient(const Op& op, const TrainingOp& step) {
        const Vector& gradient = state_.value(step.gradient);
        if (op.kind == OpKind::relu) return pointwise(step, [&](std::size_t i) { return masked(step, i); });
        if (op.kind == OpKind::dropout) {
            const DropoutMask mask = state_.mask(op.layer());
            return pointwise(
                step, [&](std::size_t i) { return gradient[i] * static_cast<Scalar>(mask(static_cast<long>(i))); });
        }
        if (op.kind == OpKind::scale)
            return pointwise(
                step, [&](std::size_t i) { return gradient[i] * static_cast<Scalar>(state_.layer(op.layer()).rate); });
        const Vector& y = state_.value(step.result);
        if (op.function) {
            Vector product(gradient.size());
            op.function->loops<Scalar>().gradient(y.data(), gradient.data(), product.data(), std::ssize(gradient));
            return pointwise(step, [&](std::size_t i) { return product[i]; });
        }
        if (traits_of(op.kind).is_elementwise)
            return pointwise(step, [&](std::size_t i) { return elementwise_gradient(op.kind, y[i], gradient[i]); });
        const std::size_t classes = index(state_.shape(step.result).elements());
        Vector products(index(state_.batch), Scalar{0});
        for (std::size_t i = 0; i < y.size(); ++i) products[i / classes] += y[i] * gradient[i];
        pointwise(step, [&](std::size_t i) { return y[i] * (gradient[i] - products[i / classes]); });
    }

    State& state_;
    Forward<Scalar> forward_;
};

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::reference
