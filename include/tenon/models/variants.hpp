#pragma once
// IWYU pragma: private, include <tenon/network.hpp>

// The CIFAR networks that He et al. 2016 compare: 6n + 2 or 9n + 2 layers of blocks with any shortcut and any placement
// of the activation.
//
// ResNet-110 of figure 2f, then ResNet-164 of figure 4e:
//
//     CifarVariant<18, Shortcut<ShortcutKind::dropout>, Placement<ActivationPlacement::original>>
//     CifarVariant<18, Bottlenecks, Placement<ActivationPlacement::full_preactivation>>

#include <tenon/topology/block.hpp>
#include <tenon/topology/facts.hpp>

namespace tenon {

/// The blocks of a CifarVariant are bottlenecks with four times the channels, 9n + 2 layers; without this option they
/// are Basic.
struct Bottlenecks {
    static constexpr unsigned users = detail::for_block;
    static constexpr void apply(detail::BlockOptions& options) { options.basic = false; }
};

namespace detail {

/// The options that all blocks of a variant have.
template <BlockOption... Options>
inline constexpr BlockOptions variant_options = detail::options_of<Basic, Options...>(BlockOptions{});

/// A stage of `Blocks` blocks. The first has the stride, the zeros for new channels unless its shortcut is a
/// convolution (option A), and pre-activates its shortcut too where the placement pre-activates (`both_preact` of the
/// paper's published code; the paper does so in the first block of the network).
template <int Filters, int Blocks, int Pixels, bool Changes, BlockOption... Options>
struct VariantStage {
    static constexpr BlockOptions options = variant_options<Options...>;
    static constexpr bool pads = Changes && options.shortcut != ShortcutKind::convolution;
    using First = Block<Filters, Basic, Options..., Stride<Pixels>, OptionIf<pads, PadShortcut>,
                        OptionIf<preactivates(options.placement), PreactivateShortcut>>;
    using Layers = Scoped<ScopeKind::stack, First, Repeat<Blocks - 1, Block<Filters, Basic, Options...>>>;
    using children = typename Layers::children;
    static constexpr Cursor lower(Builder& builder, Cursor x) { return Layers::lower(builder, x); }
};

/// The network with `Blocks` blocks in each of three stages of 16, 32 and 64 filters. Stem and head have what the
/// blocks lack at both ends: the stem has a norm and a ReLU unless the first block begins with them, and the head
/// begins with what another block would begin with.
template <class In, int Classes, int Blocks, BlockOption... Options>
struct VariantNetwork {
    static constexpr BlockOptions options = variant_options<Options...>;
    static constexpr bool full = options.placement == ActivationPlacement::full_preactivation;
    static constexpr bool activated = preactivates(options.placement);
    using Layers =
        Network<In, Stem<Conv<16, Kernel<3>, Padding<1>>, LayerIf<!full, BatchNorm>, LayerIf<!activated, ReLU>>,
                VariantStage<16, Blocks, 1, !options.basic, Options...>, VariantStage<32, Blocks, 2, true, Options...>,
                VariantStage<64, Blocks, 2, true, Options...>,
                Head<LayerIf<full, BatchNorm>, LayerIf<activated, ReLU>, GlobalAvgPool, Linear<Classes>>>;
};

}  // namespace detail

/// A variant on CIFAR with ten classes. Options in any order: Shortcut, Placement, Bottlenecks. Without a Placement the
/// blocks are pre-activated; figure 2 compares shortcuts in the original placement. CifarVariant<n> computes what
/// CifarResNet...V2 does, and with the original placement what CifarResNet... does.
template <int Blocks, detail::BlockOption... Options>
struct CifarVariant : detail::VariantNetwork<Input<3, 32, 32>, 10, Blocks, Options...>::Layers {};

}  // namespace tenon
