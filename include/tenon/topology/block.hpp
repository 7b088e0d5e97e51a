#pragma once
// IWYU pragma: private, include <tenon/network.hpp>

// Block and Stack: the original listing's pre-activated bottlenecks, and with options every residual block of the
// papers.

#include <type_traits>

#include <tenon/topology/block_options.hpp>
#include <tenon/topology/channel_ops.hpp>
#include <tenon/topology/combinators.hpp>
#include <tenon/topology/convolution.hpp>
#include <tenon/topology/elementwise.hpp>
#include <tenon/topology/pooling.hpp>

namespace tenon {

namespace detail {

/// The raw input; with a stride, every n-th pixel of it.
template <int Height, int Width>
struct SubsampledShortcut : MaxPool<Kernel<1>, Stride<Height, Width>> {};
template <>
struct SubsampledShortcut<1, 1> : Identity {};

/// `Layer` under a condition, else Identity.
template <bool Condition, class Layer>
using LayerIf = std::conditional_t<Condition, Layer, Identity>;

/// The layers of a shortcut over a path without parameters (`Path`), a 1x1 convolution (`Projection`) or both.
template <ShortcutKind Kind, class Path, class Projection>
struct ShortcutLayers {
    using Layers = Path;  // the exclusive gate is in GatedResidual
};
template <class Path, class Projection>
struct ShortcutLayers<ShortcutKind::constant_scaling, Path, Projection> {
    using Layers = Sequential<Path, Scale<1, 2>>;
};
template <class Path, class Gate>
struct ShortcutLayers<ShortcutKind::shortcut_only_gating, Path, Gate> {
    using Layers = Product<Path, Sequential<Gate, Scale<-1>, Sigmoid>>;
};
template <class Path, class Projection>
struct ShortcutLayers<ShortcutKind::convolution, Path, Projection> {
    using Layers = Projection;
};
template <class Path, class Projection>
struct ShortcutLayers<ShortcutKind::dropout, Path, Projection> {
    using Layers = Sequential<Path, Dropout<>>;
};

/// The parts of a Block.
template <int Filters, BlockOption... Options>
struct BlockLayers {
    static constexpr BlockOptions options = detail::options_of<Kernel<3>, Options...>(BlockOptions{});
    static constexpr Window window = options.window;
    static constexpr ActivationPlacement placement = options.placement;
    static constexpr bool gates_both = options.shortcut == ShortcutKind::exclusive_gating;
    static constexpr bool normalizes = normalizes_branches(placement);
    static constexpr bool activates_last = placement == ActivationPlacement::relu_before_addition;
    static constexpr bool halves = options.shortcut == ShortcutKind::constant_scaling;
    static constexpr int channels = options.basic ? Filters : 4 * Filters;

    using KernelOption = Kernel<window.kernel_height, window.kernel_width>;
    using StrideOption = Stride<window.stride_height, window.stride_width>;
    using Strided = Conv<Filters, KernelOption, StrideOption, Padding<1>>;
    template <class... Convolutions>
    using BodyOf = Sequential<Convolutions..., LayerIf<normalizes, BatchNorm>, LayerIf<activates_last, ReLU>,
                              LayerIf<halves, Scale<1, 2>>>;
    using Body =
        std::conditional_t<options.basic, BodyOf<Strided, BatchNorm, ReLU, Conv<Filters, KernelOption, Padding<1>>>,
                           BodyOf<Conv<Filters>, BatchNorm, ReLU, Strided, BatchNorm, ReLU, Conv<4 * Filters>>>;

    using Path = std::conditional_t<options.pads_channels, PadChannels<channels, StrideOption>,
                                    SubsampledShortcut<window.stride_height, window.stride_width>>;
    using Gate = Conv<channels, StrideOption, Bias>;
    using Convolution = Conv<channels, StrideOption>;
    using Projection =
        std::conditional_t<options.is_gated(), Gate,
                           std::conditional_t<normalizes, Sequential<Convolution, BatchNorm>, Convolution>>;
    using ShortcutBranch = typename ShortcutLayers<options.shortcut, Path, Projection>::Layers;
    static constexpr ShortcutFrom from = options.shortcut == ShortcutKind::convolution || options.preactivates_shortcut
                                             ? ShortcutFrom::preactivation
                                             : ShortcutFrom::input;

    using Preact =
        std::conditional_t<placement == ActivationPlacement::full_preactivation, Sequential<BatchNorm, ReLU>, ReLU>;
    using After =
        std::conditional_t<placement == ActivationPlacement::original, ReLU,
                           LayerIf<placement == ActivationPlacement::norm_after_addition, Sequential<BatchNorm, ReLU>>>;
};

/// The combinator of a block's parts.
template <class Parts>
consteval auto block_of() {
    if constexpr (preactivates(Parts::placement))
        return std::type_identity<PreactivatedResidual<typename Parts::Preact, typename Parts::Body,
                                                       typename Parts::ShortcutBranch, Parts::from>>{};
    else if constexpr (Parts::gates_both)
        return std::type_identity<
            GatedResidual<typename Parts::Body, typename Parts::Path, typename Parts::Gate, typename Parts::After>>{};
    else
        return std::type_identity<
            Residual<typename Parts::Body, typename Parts::ShortcutBranch, typename Parts::After>>{};
}

}  // namespace detail

/// A residual block. Without options but Kernel (default 3), Stride (default 1) and ConvShortcut it is the listing's
/// pre-activated bottleneck: BN-ReLU, then 1x1 to `Filters`, kernel x kernel with the stride, 1x1 to 4 * `Filters`
/// channels, each of the first two followed by BN-ReLU, plus a shortcut. The middle convolution pads by 1 whatever the
/// kernel, as in the listing. Equals the listing's Block(in_channel, Filters, kernel_size, stride, conv_shortcut).
///
/// Further options, in any order: Shortcut (one of six), Placement (one of five), Basic, PadShortcut,
/// PreactivateShortcut. `Block<16, Basic, Placement<ActivationPlacement::original>>` is the block of He et al. 2015.
template <int Filters, detail::BlockOption... Options>
struct Block {
    static constexpr Reason contradiction = detail::BlockLayers<Filters, Options...>::options.contradiction();
    using Layers = typename decltype(detail::block_of<detail::BlockLayers<Filters, Options...>>())::type;
    using children = typename Layers::children;

    static constexpr Cursor lower(Builder& builder, Cursor x) {
        if (contradiction != Reason::none) {
            builder.reject(contradiction);
            return x;
        }
        return Layers::lower(builder, x);
    }
};

/// `Blocks` blocks of the listing in a row: the first with a convolution as its shortcut, the last with the stride
/// (default 2), those in between plain. Options: Stride. At least two blocks. Equals the listing's Stack(in_channel,
/// Filters, Blocks, stride).
template <int Filters, int Blocks, detail::StackOption... Options>
struct Stack {
    static constexpr detail::Window window = detail::options_of<Stride<2>, Options...>(detail::WindowOptions{}).window;
    using Last = Block<Filters, Stride<window.stride_height, window.stride_width>>;
    using children = detail::Children<Block<Filters, ConvShortcut>, Repeat<Blocks - 2, Block<Filters>>, Last>;

    static constexpr Cursor lower(Builder& builder, Cursor x) {
        if (Blocks < 2) {
            builder.reject(Reason::stack_needs_at_least_two_blocks, {2}, {Blocks});
            return x;
        }
        return detail::Scoped<detail::ScopeKind::stack, Block<Filters, ConvShortcut>,
                              Repeat<Blocks - 2, Block<Filters>>, Last>::lower(builder, x);
    }
};

}  // namespace tenon
