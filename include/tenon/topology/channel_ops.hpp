#pragma once
// IWYU pragma: private, include <tenon/network.hpp>

// Scale, Sigmoid, Product and PadChannels: what the shortcuts of the papers' residual blocks are made of.

#include <tenon/topology/combinators.hpp>
#include <tenon/topology/convolution.hpp>
#include <tenon/topology/elementwise.hpp>

namespace tenon {

/// x times a constant, as a fraction: `Scale<1, 2>` halves, `Scale<-1>` negates.
template <long Numerator, long Denominator = 1>
requires(Denominator != 0) struct Scale {
    static constexpr Cursor lower(Builder& builder, Cursor x) {
        return lower_plain(builder, OpKind::scale, x, x.shape,
                           static_cast<double>(Numerator) / static_cast<double>(Denominator));
    }
};

/// 1 / (1 + exp(-x)). Equals torch.nn.Sigmoid().
struct Sigmoid {
    static constexpr Cursor lower(Builder& builder, Cursor x) {
        return lower_plain(builder, OpKind::sigmoid, x, x.shape);
    }
};

/// Every n-th pixel of `Channels` channels: the input's, with equally many channels of zeros before and after them (one
/// more after them if the number is odd). The parameterless shortcut of He et al. 2015, option A. Options: Stride.
/// Equals torch.nn.functional.pad(x[:, :, ::stride, ::stride], (0, 0, 0, 0, before, after)).
template <int Channels, detail::PoolOption... Options>
struct PadChannels {
    static constexpr detail::Window window = detail::options_of<Kernel<1>, Options...>(detail::WindowOptions{}).window;

    static constexpr Cursor lower(Builder& builder, Cursor x) {
        if (!accept_window(builder, window, x.shape)) return x;
        if (Channels < x.shape.channels) {
            builder.reject(Reason::cannot_drop_channels, {x.shape.channels}, {Channels});
            return x;
        }
        const Shape output{Channels, window.output_height(x.shape.height), window.output_width(x.shape.width)};
        detail::Op op{};
        op.kind = OpKind::pad_channels;
        op.terms[0].window = window;
        op.terms[0].layer = builder.layer(OpKind::pad_channels, x.shape, output);
        return builder.emit(op, x, output);
    }
};

namespace detail {

/// Multiplies two values of the same shape element by element; other shapes are the parent's mistake.
constexpr Cursor lower_product(Builder& builder, Cursor x, Cursor y) {
    if (builder.failed()) return x;
    if (x.shape != y.shape) {
        builder.reject_parent(Reason::factors_disagree, x.shape, y.shape);
        return x;
    }
    Op op{};
    op.kind = OpKind::multiply;
    op.terms[0].layer = builder.layer(OpKind::multiply, x.shape, x.shape);
    return builder.emit(op, x, y, x.shape);
}

}  // namespace detail

/// first(x) * second(x), element by element: `Product<Identity, Sequential<Conv<64, Bias>, Sigmoid>>` gates x.
template <class First, class Second>
struct Product {
    using children = detail::Children<First, Second>;
    static constexpr Cursor lower(Builder& builder, Cursor x) {
        builder.enter();
        const Cursor first = detail::lower_child<First>(builder, x, 0);
        const Cursor second = detail::lower_child<Second>(builder, x, 1);
        const Cursor product = detail::lower_product(builder, first, second);
        builder.leave();
        return product;
    }
};

/// g(x) * body(x) + (1 - g(x)) * shortcut(x), where g is the sigmoid of `Gate`, computed once, and then `After`: the
/// exclusive gating of He et al. 2016, figure 2c, after highway networks. 1 - sigmoid(z) is sigmoid(-z).
template <class Body, class Shortcut, class Gate, class... After>
struct GatedResidual {
    using children = detail::Children<Body, Shortcut, Gate, After...>;
    static constexpr Cursor lower(Builder& builder, Cursor x) {
        builder.open(detail::ScopeKind::block);
        builder.enter();
        const Cursor gate = detail::lower_branch<Gate>(builder, x, 2, detail::ScopeKind::gate);
        Cursor shortcut = detail::lower_branch<Shortcut>(builder, x, 1, detail::ScopeKind::shortcut);
        Cursor body = detail::lower_branch<Body>(builder, x, 0, detail::ScopeKind::body);
        const Cursor closed = Sigmoid::lower(builder, Scale<-1>::lower(builder, gate));
        shortcut = detail::lower_product(builder, shortcut, closed);
        body = detail::lower_product(builder, body, Sigmoid::lower(builder, gate));
        const Cursor sum = detail::lower_after<After...>(builder, detail::lower_sum(builder, body, shortcut), 3);
        builder.leave();
        builder.close();
        return sum;
    }
};

}  // namespace tenon
