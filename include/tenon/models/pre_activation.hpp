#pragma once
// IWYU pragma: private, include <tenon/network.hpp>

// Pre-activated residual blocks (He et al. 2016) in any flavour; and networks of them.

#include <tenon/models/flavour.hpp>

namespace tenon::detail {

/// What a pre-activated block adds to its body.
enum class PreactivatedShortcut {
    input,      ///< the raw input; with a stride, every n-th pixel of it
    projected,  ///< a 1x1 convolution of the pre-activated input
};

/// The shortcut of a pre-activated block and where it branches off.
template <class Flavour, int Channels, int Pixels, PreactivatedShortcut Kind>
struct FlavourShortcut {
    static constexpr bool projects = Kind == PreactivatedShortcut::projected;
    static constexpr ShortcutFrom from = projects ? ShortcutFrom::preactivation : ShortcutFrom::input;
    using Layers = std::conditional_t<projects, Conv<Channels, Stride<Pixels>, BiasIf<Flavour::outer_bias>>,
                                      SubsampledShortcut<Pixels, Pixels>>;
};

/// A pre-activated residual block around a body, in a flavour.
template <class Flavour, class Body, int Channels, int Pixels, PreactivatedShortcut Kind>
struct PreactivatedBlock : PreactivatedResidual<Sequential<typename Flavour::Norm, ReLU>, Body,
                                                typename FlavourShortcut<Flavour, Channels, Pixels, Kind>::Layers,
                                                FlavourShortcut<Flavour, Channels, Pixels, Kind>::from> {};

/// Norm and ReLU, then two 3x3 convolutions with norm and ReLU in between. Equals timm's PreActBasic.
template <class Flavour, int Filters, int Pixels = 1, PreactivatedShortcut Kind = PreactivatedShortcut::input>
struct PreactivatedBasicBlock
    : PreactivatedBlock<
          Flavour,
          Sequential<Conv<Filters, Kernel<3>, Stride<Pixels>, Padding<1>, BiasIf<Flavour::inner_bias>>,
                     typename Flavour::Norm, ReLU, Conv<Filters, Kernel<3>, Padding<1>, BiasIf<Flavour::outer_bias>>>,
          Filters, Pixels, Kind> {
    static constexpr int expansion = 1;
};

/// Norm and ReLU, then 1x1, 3x3 with the stride and 1x1 to four times the channels, with norm and ReLU in between.
/// Equals block2 of keras.applications.resnet_v2 in Keras' flavour and timm's PreActBottleneck in timm's.
template <class Flavour, int Filters, int Pixels = 1, PreactivatedShortcut Kind = PreactivatedShortcut::input>
struct PreactivatedBottleneck
    : PreactivatedBlock<Flavour,
                        Sequential<Conv<Filters, BiasIf<Flavour::inner_bias>>, typename Flavour::Norm, ReLU,
                                   Conv<Filters, Kernel<3>, Stride<Pixels>, Padding<1>, BiasIf<Flavour::inner_bias>>,
                                   typename Flavour::Norm, ReLU, Conv<4 * Filters, BiasIf<Flavour::outer_bias>>>,
                        4 * Filters, Pixels, Kind> {
    static constexpr int expansion = 4;
};

/// A stage of pre-activated blocks: the first projects where the shape changes; the stride is in the first or in the
/// last block.
template <class Flavour, template <class, int, int, PreactivatedShortcut> class Kind, int Filters, int Blocks,
          int Pixels, bool Changes>
struct PreactivatedStage {
    static constexpr bool strides_last = Flavour::stride_block == StrideBlock::last;
    using First = Kind<Flavour, Filters, stride_if(!strides_last, Pixels),
                       Changes ? PreactivatedShortcut::projected : PreactivatedShortcut::input>;
    using Middle = Kind<Flavour, Filters, 1, PreactivatedShortcut::input>;
    using Last = Kind<Flavour, Filters, stride_if(strides_last, Pixels), PreactivatedShortcut::input>;
    using Layers = Scoped<ScopeKind::stack, First, Repeat<Blocks - 2, Middle>, Last>;
    using children = typename Layers::children;

    static constexpr Cursor lower(Builder& builder, Cursor x) {
        if (Blocks < 2) {
            builder.reject(Reason::stack_needs_at_least_two_blocks, {2}, {Blocks});
            return x;
        }
        return Layers::lower(builder, x);
    }
};

/// An ImageNet network of pre-activated blocks, with the given blocks per stage. In a flavour whose strides are in last
/// blocks the last stage has none, in others the first.
template <class Flavour, class In, int Classes, template <class, int, int, PreactivatedShortcut> class Kind, int First,
          int Second, int Third, int Fourth>
struct PreactivatedNetwork
    : Network<In, typename FlavourStem<Flavour>::Layers,
              PreactivatedStage<Flavour, Kind, 64, First, Flavour::stride_block == StrideBlock::last ? 2 : 1,
                                Kind<Flavour, 64, 1, PreactivatedShortcut::input>::expansion != 1>,
              PreactivatedStage<Flavour, Kind, 128, Second, 2, true>,
              PreactivatedStage<Flavour, Kind, 256, Third, 2, true>,
              PreactivatedStage<Flavour, Kind, 512, Fourth, Flavour::stride_block == StrideBlock::last ? 1 : 2, true>,
              Head<typename Flavour::Norm, ReLU, GlobalAvgPool, Linear<Classes>>> {
    static constexpr Naming naming = Flavour::naming;
    static constexpr ImageConvention images = Flavour::images;
};

}  // namespace tenon::detail
