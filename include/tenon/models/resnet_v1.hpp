// torchvision's ResNets: the original, post-activated block, with the stride on the 3x3 of a stage's first block
// ("v1.5").
#pragma once

#include <type_traits>

#include <tenon/models/naming.hpp>
#include <tenon/topology/block.hpp>
#include <tenon/topology/facts.hpp>

namespace tenon {

/// 1x1 convolution and BN where the shape changes, the identity elsewhere (He et al. 2015, option B).
template <bool Changes, int Channels, int Pixels>
using ProjectedShortcut = std::conditional_t<Changes, Sequential<Conv<Channels, Stride<Pixels>>, BatchNorm>, Identity>;

/// Two 3x3 convolutions and a shortcut, then ReLU. Equals torchvision.models.resnet.BasicBlock; `Changes` says that it
/// has a downsample.
template <int Filters, int Pixels = 1, bool Changes = false>
struct BasicBlock : Sequential<Residual<Sequential<Conv<Filters, Kernel<3>, Stride<Pixels>, Padding<1>>, BatchNorm,
                                                   ReLU, Conv<Filters, Kernel<3>, Padding<1>>, BatchNorm>,
                                        ProjectedShortcut<Changes, Filters, Pixels>>,
                               ReLU> {
    static constexpr int expansion = 1;
};

/// 1x1, 3x3 with the stride, 1x1 to four times the channels, and a shortcut, then ReLU. Equals
/// torchvision.models.resnet.Bottleneck.
template <int Filters, int Pixels = 1, bool Changes = false>
struct Bottleneck
    : Sequential<
          Residual<Sequential<Conv<Filters>, BatchNorm, ReLU, Conv<Filters, Kernel<3>, Stride<Pixels>, Padding<1>>,
                              BatchNorm, ReLU, Conv<4 * Filters>, BatchNorm>,
                   ProjectedShortcut<Changes, 4 * Filters, Pixels>>,
          ReLU> {
    static constexpr int expansion = 4;
};

/// A stage: `Blocks` blocks of a kind, the first with the stride and, where the shape changes, a projection.
template <template <int, int, bool> class Kind, int Filters, int Blocks, int Pixels, bool Changes>
struct Stage : Scoped<ScopeKind::stack, Kind<Filters, Pixels, Changes>, Repeat<Blocks - 1, Kind<Filters, 1, false>>> {};

/// torchvision.models.ResNet over a kind of block with the given blocks per stage.
template <class In, int Classes, template <int, int, bool> class Kind, int First, int Second, int Third, int Fourth>
struct TorchvisionNetwork
    : Network<
          In,
          Stem<Conv<64, Kernel<7>, Stride<2>, Padding<3>>, BatchNorm, ReLU, MaxPool<Kernel<3>, Stride<2>, Padding<1>>>,
          Stage<Kind, 64, First, 1, Kind<64, 1, false>::expansion != 1>, Stage<Kind, 128, Second, 2, true>,
          Stage<Kind, 256, Third, 2, true>, Stage<Kind, 512, Fourth, 2, true>, Head<GlobalAvgPool, Linear<Classes>>> {
    static constexpr Naming naming = Naming::torchvision;
};

/// torchvision.models.resnet18: 11,689,512 parameters with 1000 classes.
template <int Classes = 1000, class In = Input<3, 224, 224>>
struct ResNet18 : TorchvisionNetwork<In, Classes, BasicBlock, 2, 2, 2, 2> {};

/// torchvision.models.resnet34: 21,797,672 parameters with 1000 classes.
template <int Classes = 1000, class In = Input<3, 224, 224>>
struct ResNet34 : TorchvisionNetwork<In, Classes, BasicBlock, 3, 4, 6, 3> {};

/// torchvision.models.resnet50, "v1.5": 25,557,032 parameters and 4.089 G multiply-adds with 1000 classes.
template <int Classes = 1000, class In = Input<3, 224, 224>>
struct ResNet50 : TorchvisionNetwork<In, Classes, Bottleneck, 3, 4, 6, 3> {};

/// torchvision.models.resnet101: 44,549,160 parameters with 1000 classes.
template <int Classes = 1000, class In = Input<3, 224, 224>>
struct ResNet101 : TorchvisionNetwork<In, Classes, Bottleneck, 3, 4, 23, 3> {};

/// torchvision.models.resnet152: 60,192,808 parameters with 1000 classes.
template <int Classes = 1000, class In = Input<3, 224, 224>>
struct ResNet152 : TorchvisionNetwork<In, Classes, Bottleneck, 3, 8, 36, 3> {};

}  // namespace tenon
