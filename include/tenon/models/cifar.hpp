#pragma once
// IWYU pragma: private, include <tenon/network.hpp>

// The CIFAR ResNets of the papers: 6n + 2 layers, 3x3 convolutions on 16, 32 and 64 channels, shortcuts without
// parameters (option A).

#include <tenon/models/pre_activation.hpp>
#include <tenon/topology/channel_ops.hpp>

namespace tenon {

namespace detail {

/// The shortcut of option A: where the shape changes, every second pixel, and channels of zeros on both sides.
template <bool Changes, int Filters, int Pixels>
using PaddedShortcut = std::conditional_t<Changes, PadChannels<Filters, Stride<Pixels>>, Identity>;

/// Two 3x3 convolutions and a shortcut, then ReLU (He et al. 2015, section 4.2).
template <int Filters, int Pixels = 1, bool Changes = false>
struct CifarBlock : Sequential<Residual<Sequential<Conv<Filters, Kernel<3>, Stride<Pixels>, Padding<1>>, BatchNorm,
                                                   ReLU, Conv<Filters, Kernel<3>, Padding<1>>, BatchNorm>,
                                        PaddedShortcut<Changes, Filters, Pixels>>,
                               ReLU> {};

/// Norm and ReLU, then two 3x3 convolutions with norm and ReLU in between. The first block of a stage pre-activates its
/// shortcut too (He et al. 2016, appendix; `both_preact` of its published code).
template <int Filters, int Pixels = 1, bool First = false>
struct CifarBlockV2 : PreactivatedResidual<Sequential<BatchNorm, ReLU>,
                                           Sequential<Conv<Filters, Kernel<3>, Stride<Pixels>, Padding<1>>, BatchNorm,
                                                      ReLU, Conv<Filters, Kernel<3>, Padding<1>>>,
                                           PaddedShortcut<Pixels != 1, Filters, Pixels>,
                                           First ? ShortcutFrom::preactivation : ShortcutFrom::input> {};

/// A stage of `Blocks` blocks of a kind.
template <template <int, int, bool> class Kind, int Filters, int Blocks, int Pixels, bool First>
struct CifarStage
    : Scoped<ScopeKind::stack, Kind<Filters, Pixels, First>, Repeat<Blocks - 1, Kind<Filters, 1, false>>> {};

}  // namespace detail

/// The network with 6 * Blocks + 2 layers (He et al. 2015, section 4.2). Equals akamaster/pytorch_resnet_cifar10.
template <int Blocks, int Classes = 10, class In = Input<3, 32, 32>>
struct CifarNetwork
    : Network<In, Stem<Conv<16, Kernel<3>, Padding<1>>, BatchNorm, ReLU>,
              detail::CifarStage<detail::CifarBlock, 16, Blocks, 1, false>,
              detail::CifarStage<detail::CifarBlock, 32, Blocks, 2, true>,
              detail::CifarStage<detail::CifarBlock, 64, Blocks, 2, true>, Head<GlobalAvgPool, Linear<Classes>>> {
    static constexpr Naming naming = Naming::cifar;
    static constexpr ImageConvention images = ImageConvention::cifar_torch;
};

/// The pre-activated network with 6 * Blocks + 2 layers (He et al. 2016).
template <int Blocks, int Classes = 10, class In = Input<3, 32, 32>>
struct CifarNetworkV2
    : Network<In, Stem<Conv<16, Kernel<3>, Padding<1>>>, detail::CifarStage<detail::CifarBlockV2, 16, Blocks, 1, true>,
              detail::CifarStage<detail::CifarBlockV2, 32, Blocks, 2, true>,
              detail::CifarStage<detail::CifarBlockV2, 64, Blocks, 2, true>,
              Head<BatchNorm, ReLU, GlobalAvgPool, Linear<Classes>>> {
    static constexpr Naming naming = Naming::cifar;
    static constexpr ImageConvention images = ImageConvention::cifar_torch;
};

/// ResNet-20 on CIFAR: 269,722 parameters with 10 classes.
template <int Classes = 10, class In = Input<3, 32, 32>>
struct CifarResNet20 : CifarNetwork<3, Classes, In> {};
/// ResNet-32 on CIFAR: 464,154 parameters with 10 classes.
template <int Classes = 10, class In = Input<3, 32, 32>>
struct CifarResNet32 : CifarNetwork<5, Classes, In> {};
/// ResNet-44 on CIFAR: 658,586 parameters with 10 classes.
template <int Classes = 10, class In = Input<3, 32, 32>>
struct CifarResNet44 : CifarNetwork<7, Classes, In> {};
/// ResNet-56 on CIFAR: 853,018 parameters with 10 classes.
template <int Classes = 10, class In = Input<3, 32, 32>>
struct CifarResNet56 : CifarNetwork<9, Classes, In> {};
/// ResNet-110 on CIFAR: 1,727,962 parameters with 10 classes.
template <int Classes = 10, class In = Input<3, 32, 32>>
struct CifarResNet110 : CifarNetwork<18, Classes, In> {};

/// Pre-activated ResNet-20 on CIFAR: 269,722 parameters with 10 classes.
template <int Classes = 10, class In = Input<3, 32, 32>>
struct CifarResNet20V2 : CifarNetworkV2<3, Classes, In> {};
/// Pre-activated ResNet-32 on CIFAR: 464,154 parameters with 10 classes.
template <int Classes = 10, class In = Input<3, 32, 32>>
struct CifarResNet32V2 : CifarNetworkV2<5, Classes, In> {};
/// Pre-activated ResNet-44 on CIFAR: 658,586 parameters with 10 classes.
template <int Classes = 10, class In = Input<3, 32, 32>>
struct CifarResNet44V2 : CifarNetworkV2<7, Classes, In> {};
/// Pre-activated ResNet-56 on CIFAR: 853,018 parameters with 10 classes.
template <int Classes = 10, class In = Input<3, 32, 32>>
struct CifarResNet56V2 : CifarNetworkV2<9, Classes, In> {};
/// Pre-activated ResNet-110 on CIFAR: 1,727,962 parameters with 10 classes.
template <int Classes = 10, class In = Input<3, 32, 32>>
struct CifarResNet110V2 : CifarNetworkV2<18, Classes, In> {};

}  // namespace tenon
