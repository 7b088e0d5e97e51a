// Block and Stack of the original listing: pre-activated bottlenecks.
#pragma once

#include <type_traits>

#include <tenon/topology/combinators.hpp>
#include <tenon/topology/convolution.hpp>
#include <tenon/topology/elementwise.hpp>
#include <tenon/topology/pooling.hpp>

namespace tenon {

/// The shortcut of a Block is a 1x1 convolution of the pre-activated input (the listing's conv_shortcut=True).
struct ConvShortcut {
    static constexpr unsigned users = for_block;
    static constexpr void apply(WindowOptions&) {}
};

/// The shortcut of a Block without ConvShortcut: the raw input, of which a stride takes every n-th pixel.
template <int Height, int Width>
struct SubsampledShortcut : MaxPool<Kernel<1>, Stride<Height, Width>> {};
template <>
struct SubsampledShortcut<1, 1> : Identity {};

/// The parts of a Block.
template <int Filters, BlockOption... Options>
struct BlockLayers {
    static constexpr Window window = options_of<Kernel<3>, Options...>(WindowOptions{}).window;
    static constexpr bool projects = (std::is_same_v<Options, ConvShortcut> || ...);
    using Middle = Conv<Filters, Kernel<window.kernel_height, window.kernel_width>,
                        Stride<window.stride_height, window.stride_width>, Padding<1>>;
    using Body = Sequential<Conv<Filters>, BatchNorm, ReLU, Middle, BatchNorm, ReLU, Conv<4 * Filters>>;
    using Shortcut = std::conditional_t<projects, Conv<4 * Filters, Stride<window.stride_height, window.stride_width>>,
                                        SubsampledShortcut<window.stride_height, window.stride_width>>;
    using Residual = PreactivatedResidual<Sequential<BatchNorm, ReLU>, Body, Shortcut,
                                          projects ? ShortcutFrom::preactivation : ShortcutFrom::input>;
};

/// A pre-activated bottleneck of the listing: BN-ReLU, then 1x1 to `Filters`, kernel x kernel, 1x1 to 4 * `Filters`
/// channels, each of the first two followed by BN-ReLU, plus a shortcut. Options in any order: Kernel (default 3),
/// Stride (of the middle convolution and the shortcut; default 1), ConvShortcut. The middle convolution pads by 1
/// whatever the kernel, as in the listing. Equals the listing's Block(in_channel, Filters, kernel_size, stride,
/// conv_shortcut).
template <int Filters, BlockOption... Options>
struct Block : BlockLayers<Filters, Options...>::Residual {};

/// `Blocks` blocks of the listing in a row: the first with a convolution as its shortcut, the last with the stride
/// (default 2), those between plain. Options: Stride. At least two blocks. Equals the listing's Stack(in_channel,
/// Filters, Blocks, stride).
template <int Filters, int Blocks, StackOption... Options>
struct Stack {
    static constexpr Window window = options_of<Stride<2>, Options...>(WindowOptions{}).window;
    using Last = Block<Filters, Stride<window.stride_height, window.stride_width>>;
    using children = Children<Block<Filters, ConvShortcut>, Repeat<Blocks - 2, Block<Filters>>, Last>;

    static constexpr Cursor lower(Builder& builder, Cursor x) {
        if (Blocks < 2) {
            builder.reject(Reason::stack_needs_at_least_two_blocks, {2}, {Blocks});
            return x;
        }
        return Scoped<ScopeKind::stack, Block<Filters, ConvShortcut>, Repeat<Blocks - 2, Block<Filters>>, Last>::lower(
            builder, x);
    }
};

}  // namespace tenon
