#pragma once
// IWYU pragma: private, include <tenon/network.hpp>

// The original residual blocks (He et al. 2015), with a ReLU after the addition, in any flavour; and networks of them.

#include <tenon/models/flavour.hpp>

namespace tenon::detail {

/// 1x1 convolution and norm where the shape changes, the identity elsewhere (He et al. 2015, option B).
template <class Flavour, bool Changes, int Channels, int Pixels>
using ProjectedShortcut = std::conditional_t<
    Changes, Sequential<Conv<Channels, Stride<Pixels>, BiasIf<Flavour::outer_bias>>, typename Flavour::Norm>, Identity>;

/// Two 3x3 convolutions and a shortcut, then ReLU; `Changes` says that the shortcut is a projection. Equals
/// torchvision.models.resnet.BasicBlock in torchvision's flavour.
template <class Flavour, int Filters, int Pixels = 1, bool Changes = false>
struct PostActivatedBasicBlock
    : Sequential<Residual<Sequential<Conv<Filters, Kernel<3>, Stride<Pixels>, Padding<1>, BiasIf<Flavour::inner_bias>>,
                                     typename Flavour::Norm, ReLU,
                                     Conv<Filters, Kernel<3>, Padding<1>, BiasIf<Flavour::outer_bias>>,
                                     typename Flavour::Norm>,
                          ProjectedShortcut<Flavour, Changes, Filters, Pixels>>,
                 ReLU> {
    static constexpr int expansion = 1;
};

/// The three convolutions of a bottleneck with their norms.
template <class Flavour, int Filters, int Pixels>
struct BottleneckBody {
    static constexpr int first = stride_if(Flavour::stride_convolution == StrideConvolution::first, Pixels);
    static constexpr int width = Filters * Flavour::width_numerator;
    using Norm = typename Flavour::Norm;
    using Layers = Sequential<Conv<width, Stride<first>, BiasIf<Flavour::inner_bias>>, Norm, ReLU,
                              Conv<width, Kernel<3>, Stride<Pixels / first>, Padding<1>, Groups<Flavour::groups>,
                                   BiasIf<Flavour::inner_bias>>,
                              Norm, ReLU, Conv<4 * Filters, BiasIf<Flavour::outer_bias>>, Norm>;
};

/// 1x1, 3x3, 1x1 to four times the channels, and a shortcut, then ReLU. Equals torchvision.models.resnet.Bottleneck in
/// torchvision's flavour and block1 of keras.applications.resnet in Keras'.
template <class Flavour, int Filters, int Pixels = 1, bool Changes = false>
struct PostActivatedBottleneck : Sequential<Residual<typename BottleneckBody<Flavour, Filters, Pixels>::Layers,
                                                     ProjectedShortcut<Flavour, Changes, 4 * Filters, Pixels>>,
                                            ReLU> {
    static constexpr int expansion = 4;
};

/// A stage: `Blocks` blocks of a kind, the first with the stride and, where the shape changes, a projection.
template <class Flavour, template <class, int, int, bool> class Kind, int Filters, int Blocks, int Pixels, bool Changes>
struct Stage : Scoped<ScopeKind::stack, Kind<Flavour, Filters, Pixels, Changes>,
                      Repeat<Blocks - 1, Kind<Flavour, Filters, 1, false>>> {};

/// An ImageNet network of post-activated blocks, with the given blocks per stage.
template <class Flavour, class In, int Classes, template <class, int, int, bool> class Kind, int First, int Second,
          int Third, int Fourth>
struct PostActivatedNetwork
    : Network<In, typename FlavourStem<Flavour>::Layers,
              Stage<Flavour, Kind, 64, First, 1, Kind<Flavour, 64, 1, false>::expansion != 1>,
              Stage<Flavour, Kind, 128, Second, 2, true>, Stage<Flavour, Kind, 256, Third, 2, true>,
              Stage<Flavour, Kind, 512, Fourth, 2, true>, Head<GlobalAvgPool, Linear<Classes>>> {
    static constexpr Naming naming = Flavour::naming;
    static constexpr ImageConvention images = Flavour::images;
};

}  // namespace tenon::detail
