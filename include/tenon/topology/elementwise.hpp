#pragma once
// IWYU pragma: private, include <tenon/network.hpp>

// BatchNorm, ReLU, Dropout, Softmax, Flatten and Identity: layers that keep the number of their input's elements.

#include <tenon/program/builder.hpp>
#include <tenon/topology/options.hpp>

namespace tenon {

/// Lowers an operation without parameters.
constexpr Cursor lower_plain(Builder& builder, OpKind kind, Cursor x, Shape output, double rate = 0) {
    detail::Op op{};
    op.kind = kind;
    op.terms[0].layer = builder.layer(kind, x.shape, output, 0, 0, rate);
    return builder.emit(op, x, output);
}

/// Batch normalization of each channel (Ioffe and Szegedy 2015) with options Epsilon, Momentum and NoAffine. Equals
/// torch.nn.BatchNorm2d(channels, eps, momentum): the running variance is unbiased, the variance that normalizes is
/// not. Parameters: gamma, beta (not with NoAffine), running mean, running variance, each [channels].
template <detail::NormOption... Options>
struct BatchNormWith {
    static constexpr Cursor lower(Builder& builder, Cursor x) {
        constexpr detail::NormOptions options = detail::options_of<Options...>(detail::NormOptions{});
        if (!(options.epsilon > 0 && options.momentum > 0)) {
            builder.reject(Reason::epsilon_or_momentum_is_not_positive);
            return x;
        }
        detail::Op op{};
        op.kind = OpKind::batch_norm;
        op.terms[0].layer = builder.layer(OpKind::batch_norm, x.shape, x.shape, options.epsilon, options.momentum);
        if (options.affine) {
            builder.parameter(ParameterRole::gamma, 1, x.shape.channels);
            builder.parameter(ParameterRole::beta, 1, x.shape.channels);
        }
        builder.parameter(ParameterRole::running_mean, 1, x.shape.channels);
        builder.parameter(ParameterRole::running_variance, 1, x.shape.channels);
        return builder.emit(op, x, x.shape);
    }
};

/// Batch normalization with torch's defaults: epsilon 1e-5, momentum 0.1.
struct BatchNorm : BatchNormWith<> {};

/// max(x, 0). Equals torch.nn.ReLU(); NaN stays NaN.
struct ReLU {
    static constexpr Cursor lower(Builder& builder, Cursor x) { return lower_plain(builder, OpKind::relu, x, x.shape); }
};

/// Drops each feature with the given rate while training and scales the others by 1 / (1 - rate); the identity at
/// inference. Equals torch.nn.Dropout(rate). Default rate: one half.
template <class DropRate = Rate<1, 2>>
struct Dropout {
    static constexpr Cursor lower(Builder& builder, Cursor x) {
        if (DropRate::denominator < 1 || DropRate::numerator < 0 || DropRate::numerator >= DropRate::denominator) {
            builder.reject(Reason::rate_is_not_below_one, {},
                           {static_cast<int>(DropRate::numerator), static_cast<int>(DropRate::denominator), 1});
            return x;
        }
        return lower_plain(builder, OpKind::dropout, x, x.shape,
                           static_cast<double>(DropRate::numerator) / static_cast<double>(DropRate::denominator));
    }
};

/// A function of each element that the library doesn't know: a functor with its derivative, both for float and double.
///
///     struct Mish {
///         template <class T> T operator()(T x) const { return x * std::tanh(std::log1p(std::exp(x))); }
///         template <class T> T derivative(T x) const { ... }
///     };
///     struct Net : Network<Input<3, 32, 32>, Conv<16, Kernel<3>>, Elementwise<Mish>, ...> {};
///
/// Runs and trains on the CPU and on the reference backend; CUDA needs a kind of its own (docs/how_to/add_a_layer.md).
/// ONNX has no operator for it. test_layer<Elementwise<Mish>, Input<...>> checks the derivative.
template <class Function>
struct Elementwise {
    static constexpr Cursor lower(Builder& builder, Cursor x) {
        if constexpr (detail::ElementwiseFunctor<Function>) {
            detail::Op op{};
            op.kind = OpKind::elementwise;
            op.function = &detail::elementwise_function<Function>;
            op.terms[0].layer = builder.layer(OpKind::elementwise, x.shape, x.shape);
            return builder.emit(op, x, x.shape);
        } else {
            builder.reject(Reason::not_an_elementwise_function);
            return x;
        }
    }
};

/// Probabilities over a flat vector. Equals torch.nn.Softmax(1).
struct Softmax {
    static constexpr Cursor lower(Builder& builder, Cursor x) {
        if (!x.shape.is_flat()) {
            builder.reject(Reason::needs_a_flat_input, {static_cast<int>(x.shape.elements())}, x.shape);
            return x;
        }
        return lower_plain(builder, OpKind::softmax, x, x.shape);
    }
};

/// A map as a flat vector in the order channel, row, column. Equals torch.nn.Flatten().
struct Flatten {
    static constexpr Cursor lower(Builder& builder, Cursor x) {
        if (x.shape.is_flat()) return x;
        return lower_plain(builder, OpKind::flatten, x, {static_cast<int>(x.shape.elements())});
    }
};

/// Does nothing: the output is the input. Equals torch.nn.Identity().
struct Identity {
    static constexpr Cursor lower(Builder&, Cursor x) { return x; }
};

}  // namespace tenon
