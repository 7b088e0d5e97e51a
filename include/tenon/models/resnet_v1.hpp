#pragma once
// IWYU pragma: private, include <tenon/network.hpp>

// torchvision's ResNets: the original, post-activated block, with the stride on the 3x3 of a stage's first block
// ("v1.5").

#include <tenon/models/post_activation.hpp>

namespace tenon {

namespace detail {

/// torchvision.models.resnet.BasicBlock; `Changes` says that it has a downsample. For comparisons of single blocks; the
/// networks take PostActivatedBasicBlock.
template <int Filters, int Pixels = 1, bool Changes = false>
struct BasicBlock : PostActivatedBasicBlock<TorchvisionFlavour, Filters, Pixels, Changes> {};

/// torchvision.models.resnet.Bottleneck, for comparisons like BasicBlock.
template <int Filters, int Pixels = 1, bool Changes = false>
struct Bottleneck : PostActivatedBottleneck<TorchvisionFlavour, Filters, Pixels, Changes> {};

/// torchvision.models.ResNet over a kind of block with the given blocks per stage.
template <class In, int Classes, template <class, int, int, bool> class Kind, int... Blocks>
using TorchvisionNetwork = PostActivatedNetwork<TorchvisionFlavour, In, Classes, Kind, Blocks...>;

}  // namespace detail

/// torchvision.models.resnet18: 11,689,512 parameters with 1000 classes.
template <int Classes = 1000, class In = Input<3, 224, 224>>
struct ResNet18 : detail::TorchvisionNetwork<In, Classes, detail::PostActivatedBasicBlock, 2, 2, 2, 2> {};

/// torchvision.models.resnet34: 21,797,672 parameters with 1000 classes.
template <int Classes = 1000, class In = Input<3, 224, 224>>
struct ResNet34 : detail::TorchvisionNetwork<In, Classes, detail::PostActivatedBasicBlock, 3, 4, 6, 3> {};

/// torchvision.models.resnet50, "v1.5": 25,557,032 parameters and 4.089 G multiply-adds with 1000 classes.
template <int Classes = 1000, class In = Input<3, 224, 224>>
struct ResNet50 : detail::TorchvisionNetwork<In, Classes, detail::PostActivatedBottleneck, 3, 4, 6, 3> {};

/// torchvision.models.resnet101: 44,549,160 parameters with 1000 classes.
template <int Classes = 1000, class In = Input<3, 224, 224>>
struct ResNet101 : detail::TorchvisionNetwork<In, Classes, detail::PostActivatedBottleneck, 3, 4, 23, 3> {};

/// torchvision.models.resnet152: 60,192,808 parameters with 1000 classes.
template <int Classes = 1000, class In = Input<3, 224, 224>>
struct ResNet152 : detail::TorchvisionNetwork<In, Classes, detail::PostActivatedBottleneck, 3, 8, 36, 3> {};

/// torchvision.models.wide_resnet50_2: 68,883,240 parameters and 11.398 G multiply-adds with 1000 classes.
template <int Classes = 1000, class In = Input<3, 224, 224>>
struct WideResNet50_2
    : detail::PostActivatedNetwork<detail::WideFlavour, In, Classes, detail::PostActivatedBottleneck, 3, 4, 6, 3> {};

/// torchvision.models.resnext50_32x4d: 25,028,904 parameters and 4.23 G multiply-adds with 1000 classes.
template <int Classes = 1000, class In = Input<3, 224, 224>>
struct ResNeXt50_32x4d
    : detail::PostActivatedNetwork<detail::ResNeXtFlavour, In, Classes, detail::PostActivatedBottleneck, 3, 4, 6, 3> {};

}  // namespace tenon
