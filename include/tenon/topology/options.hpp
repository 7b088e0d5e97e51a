#pragma once
// IWYU pragma: private, include <tenon/network.hpp>

// Named options of layers, in any order: Kernel<7>, Stride<2>, Padding<3>, Bias, Groups<32> and the like.

#include <concepts>

#include <tenon/program/program.hpp>

namespace tenon {

namespace detail {

/// The sum of a convolution's or pooling's options.
struct WindowOptions {
    Window window{};
    bool has_stride = false;
    bool bias = false;
    int groups = 1;
};

/// The layers an option may be given to.
enum OptionUser : unsigned { for_conv = 1, for_pool = 2, for_block = 4, for_stack = 8 };

}  // namespace detail

/// The size of a window in pixels: `Kernel<3>` is 3 x 3, `Kernel<1, 7>` one row of seven.
template <int Height, int Width = Height>
struct Kernel {
    static constexpr unsigned users = detail::for_conv | detail::for_pool | detail::for_block;
    static constexpr void apply(detail::WindowOptions& options) {
        options.window.kernel_height = Height;
        options.window.kernel_width = Width;
    }
};

/// The distance between windows: `Stride<2>`, or rows and columns apart, `Stride<2, 1>`. Default: 1 for a convolution,
/// the kernel's size for a pooling.
template <int Height, int Width = Height>
struct Stride {
    static constexpr unsigned users = detail::for_conv | detail::for_pool | detail::for_block | detail::for_stack;
    static constexpr void apply(detail::WindowOptions& options) {
        options.window.stride_height = Height;
        options.window.stride_width = Width;
        options.has_stride = true;
    }
};

/// Pixels added around the map. `Padding<1>`: all sides; `Padding<1, 2>`: top and bottom 1, left and right 2;
/// `Padding<0, 0, 1, 1>`: top, left, bottom, right (TensorFlow's `same` on even sizes with stride 2).
template <int... Sides>
requires(sizeof...(Sides) == 1 || sizeof...(Sides) == 2 || sizeof...(Sides) == 4) struct Padding {
    static constexpr unsigned users = detail::for_conv | detail::for_pool;
    static constexpr void apply(detail::WindowOptions& options) {
        constexpr int count = sizeof...(Sides);
        constexpr int sides[] = {Sides...};
        options.window.top = sides[0];
        options.window.left = sides[count == 1 ? 0 : 1];
        options.window.bottom = sides[count == 4 ? 2 : 0];
        options.window.right = sides[count == 4 ? 3 : count - 1];
    }
};

/// The option of Conv that adds a bias per output channel. Equals torch's bias=True.
struct Bias {
    static constexpr unsigned users = detail::for_conv;
    static constexpr void apply(detail::WindowOptions& options) { options.bias = true; }
};

/// Input and output channels are split into `Count` groups that are convolved separately. Equals torch's groups=Count.
template <int Count>
struct Groups {
    static constexpr unsigned users = detail::for_conv;
    static constexpr void apply(detail::WindowOptions& options) { options.groups = Count; }
};

/// The padding of a pooling counts as zeros (Keras' ZeroPadding2D before a pooling; torch's count_include_pad). The
/// default of AvgPool, as in torch.
struct PadZero {
    static constexpr unsigned users = detail::for_pool;
    static constexpr void apply(detail::WindowOptions& options) { options.window.pad_value = PadValue::zero; }
};

/// The padding of a pooling does not count: -inf for a maximum, not counted for an average. The default of MaxPool.
struct PadExcluded {
    static constexpr unsigned users = detail::for_pool;
    static constexpr void apply(detail::WindowOptions& options) { options.window.pad_value = PadValue::excluded; }
};

namespace detail {

/// An option that the given kind of layer takes.
template <class T, OptionUser User>
concept OptionFor = requires(WindowOptions& options) {
    T::apply(options);
    requires(T::users & User) != 0;
};
template <class T>
concept ConvOption = OptionFor<T, for_conv>;
template <class T>
concept PoolOption = OptionFor<T, for_pool>;
template <class T>
concept StackOption = OptionFor<T, for_stack>;

/// The sum of a batch norm's options.
struct NormOptions {
    double epsilon = 1e-5, momentum = 0.1;
    bool affine = true;
};

}  // namespace detail

/// The number added to the variance before the square root, as a fraction: `Epsilon<1, 1000>` is 1e-3 (C++20 compilers
/// don't agree on floating-point template arguments). Default 1e-5.
template <long Numerator, long Denominator>
struct Epsilon {
    static constexpr void apply(detail::NormOptions& options) {
        options.epsilon = static_cast<double>(Numerator) / Denominator;
    }
};

/// The weight of the new batch in the running statistics, in torch's sense, as a fraction: running = (1 - momentum) *
/// running + momentum * batch. Default 0.1; Keras' momentum 0.99 is `Momentum<1, 100>`.
template <long Numerator, long Denominator>
struct Momentum {
    static constexpr void apply(detail::NormOptions& options) {
        options.momentum = static_cast<double>(Numerator) / Denominator;
    }
};

/// The batch norm has neither gamma nor beta (torch's affine=False, MXNet's norm of the input).
struct NoAffine {
    static constexpr void apply(detail::NormOptions& options) { options.affine = false; }
};

namespace detail {

template <class T>
concept NormOption = requires(NormOptions& options) {
    T::apply(options);
};

}  // namespace detail

/// The share of the features that a dropout drops, as a fraction below one: `Rate<1, 2>`.
template <long Numerator, long Denominator>
struct Rate {
    static constexpr long numerator = Numerator, denominator = Denominator;
};

namespace detail {

/// Applies the options of a list to the given defaults.
template <class... Options, class Defaults>
constexpr Defaults options_of(Defaults options) {
    (Options::apply(options), ...);
    return options;
}

}  // namespace detail

}  // namespace tenon
