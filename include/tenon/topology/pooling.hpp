#pragma once
// IWYU pragma: private, include <tenon/network.hpp>

// MaxPool, AvgPool and the global pools.

#include <tenon/topology/convolution.hpp>

namespace tenon {

namespace detail {

/// What MaxPool and AvgPool share: a window per channel. Without a Stride the windows are side by side.
template <OpKind Kind, PadValue Default, PoolOption... Options>
struct Pool {
    static constexpr Window window = [] {
        WindowOptions options{};
        options.window.pad_value = Default;
        options = detail::options_of<Options...>(options);
        if (!options.has_stride) {
            options.window.stride_height = options.window.kernel_height;
            options.window.stride_width = options.window.kernel_width;
        }
        return options.window;
    }();

    static constexpr Cursor lower(Builder& builder, Cursor x) {
        if (!accept_window(builder, window, x.shape)) return x;
        const int vertical = window.top > window.bottom ? window.top : window.bottom;
        const int horizontal = window.left > window.right ? window.left : window.right;
        if (vertical >= window.kernel_height || horizontal >= window.kernel_width) {
            builder.reject(Reason::padding_exceeds_kernel, {x.shape.channels, vertical + 1, horizontal + 1},
                           {x.shape.channels, window.kernel_height, window.kernel_width});
            return x;
        }
        const Shape output{x.shape.channels, window.output_height(x.shape.height), window.output_width(x.shape.width)};
        Op op{};
        op.kind = Kind;
        op.terms[0].window = window;
        op.terms[0].layer = builder.layer(Kind, x.shape, output);
        return builder.emit(op, x, output);
    }
};

}  // namespace detail

/// The largest value of each window. Options: Kernel, Stride (default: the kernel), Padding, PadExcluded (default) or
/// PadZero. Equals torch.nn.MaxPool2d(kernel, stride, padding).
template <detail::PoolOption... Options>
struct MaxPool : detail::Pool<OpKind::max_pool, PadValue::excluded, Options...> {};

/// The mean of each window. Options: Kernel, Stride (default: the kernel), Padding, PadZero (default: padding counts)
/// or PadExcluded. Equals torch.nn.AvgPool2d(kernel, stride, padding), with PadExcluded its count_include_pad=False.
template <detail::PoolOption... Options>
struct AvgPool : detail::Pool<OpKind::average_pool, PadValue::zero, Options...> {};

namespace detail {

/// What the global pools share: one value per channel, flat.
template <OpKind Kind>
struct GlobalPool {
    static constexpr Cursor lower(Builder& builder, Cursor x) {
        if (x.shape.is_flat()) {
            builder.reject(Reason::needs_a_map, {}, x.shape);
            return x;
        }
        Op op{};
        op.kind = Kind;
        op.terms[0].layer = builder.layer(Kind, x.shape, {x.shape.channels});
        return builder.emit(op, x, {x.shape.channels});
    }
};

}  // namespace detail

/// The mean of each channel as a flat vector. Equals torch.nn.AdaptiveAvgPool2d(1) and Flatten.
struct GlobalAvgPool : detail::GlobalPool<OpKind::global_average_pool> {};

/// The largest value of each channel as a flat vector. Equals torch.nn.AdaptiveMaxPool2d(1) and Flatten.
struct GlobalMaxPool : detail::GlobalPool<OpKind::global_max_pool> {};

}  // namespace tenon
