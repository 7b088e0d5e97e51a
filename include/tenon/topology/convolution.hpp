#pragma once
// IWYU pragma: private, include <tenon/network.hpp>

// Conv and Linear: the layers with weights.

#include <tenon/program/builder.hpp>
#include <tenon/topology/options.hpp>

namespace tenon {

namespace detail {

/// Checks that a window has positive sizes and fits the padded map; records the rejection and returns false otherwise.
constexpr bool accept_window(Builder& builder, const Window& window, Shape input) {
    if (input.is_flat()) {
        builder.reject(Reason::needs_a_map, {}, input);
        return false;
    }
    if (window.kernel_height < 1 || window.kernel_width < 1 || window.stride_height < 1 || window.stride_width < 1) {
        builder.reject(Reason::size_is_not_positive, {1, 1, 1},
                       {window.stride_height < window.stride_width ? window.stride_height : window.stride_width,
                        window.kernel_height, window.kernel_width});
        return false;
    }
    if (window.top < 0 || window.left < 0 || window.bottom < 0 || window.right < 0) {
        builder.reject(Reason::size_is_not_positive, {0, 0, 0},
                       {window.top < window.left ? window.top : window.left, window.bottom, window.right});
        return false;
    }
    const Shape padded{input.channels, input.height + window.top + window.bottom,
                       input.width + window.left + window.right};
    if (window.kernel_height > padded.height || window.kernel_width > padded.width) {
        builder.reject(Reason::kernel_exceeds_padded_input, {input.channels, window.kernel_height, window.kernel_width},
                       padded);
        return false;
    }
    return true;
}

}  // namespace detail

/// A two-dimensional convolution (cross-correlation) with `Channels` outputs; input channels are inferred.
/// Options: Kernel (default 1), Stride, Padding (with zeros), Bias, Groups. Equals torch.nn.Conv2d(in, Channels,
/// kernel, stride, padding, groups=groups, bias=False), with bias only where `Bias` is given. Parameters: weight
/// [Channels, in / groups, kernel height, kernel width], bias [Channels].
template <int Channels, detail::ConvOption... Options>
struct Conv {
    static constexpr Cursor lower(Builder& builder, Cursor x) {
        constexpr detail::WindowOptions options = detail::options_of<Options...>(detail::WindowOptions{});
        if (!accept_window(builder, options.window, x.shape)) return x;
        if (Channels < 1 || options.groups < 1) {
            builder.reject(Reason::size_is_not_positive, {1}, {Channels < options.groups ? Channels : options.groups});
            return x;
        }
        if (x.shape.channels % options.groups != 0 || Channels % options.groups != 0) {
            builder.reject(Reason::channels_not_divisible_by_groups, {options.groups},
                           {x.shape.channels % options.groups != 0 ? x.shape.channels : Channels});
            return x;
        }
        const detail::Window& window = options.window;
        const Shape output{Channels, window.output_height(x.shape.height), window.output_width(x.shape.width)};
        detail::Op op{};
        op.kind = OpKind::conv;
        op.terms[0].window = window;
        op.terms[0].groups = options.groups;
        op.terms[0].layer = builder.layer(OpKind::conv, x.shape, output);
        builder.parameter(ParameterRole::weight, 4, Channels, x.shape.channels / options.groups, window.kernel_height,
                          window.kernel_width);
        if (options.bias) builder.parameter(ParameterRole::bias, 1, Channels);
        return builder.emit(op, x, output);
    }
};

/// The option of Linear that leaves out the bias: `Linear<10, NoBias>`.
struct NoBias {};

/// A fully connected layer with `Features` outputs on a flat input. Equals torch.nn.Linear(in, Features). Parameters:
/// weight [Features, in], bias [Features] unless `NoBias` is given.
template <int Features, class... Options>
requires(sizeof...(Options) <= 1 && (std::same_as<Options, NoBias> && ...)) struct Linear {
    static constexpr Cursor lower(Builder& builder, Cursor x) {
        if (Features < 1) {
            builder.reject(Reason::size_is_not_positive, {1}, {Features});
            return x;
        }
        if (!x.shape.is_flat()) {
            builder.reject(Reason::needs_a_flat_input, {static_cast<int>(x.shape.elements())}, x.shape);
            return x;
        }
        detail::Op op{};
        op.kind = OpKind::linear;
        op.terms[0].layer = builder.layer(OpKind::linear, x.shape, {Features});
        builder.parameter(ParameterRole::weight, 2, Features, x.shape.channels);
        if (sizeof...(Options) == 0) builder.parameter(ParameterRole::bias, 1, Features);
        return builder.emit(op, x, {Features});
    }
};

}  // namespace tenon
