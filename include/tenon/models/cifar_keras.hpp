#pragma once
// IWYU pragma: private, include <tenon/network.hpp>

// Keras' CIFAR ResNets, versions 1 and 2, and MLPerf Tiny's ResNet-8, which is their smallest.

#include <tenon/models/flavour.hpp>

namespace tenon {

namespace detail {

/// Keras' batch norm with its defaults.
struct KerasBatchNorm : BatchNormWith<Epsilon<1, 1000>, Momentum<1, 100>> {};

/// A 3x3 convolution with a bias and TensorFlow's `same` padding, which with a stride of 2 on an even size is one row
/// below and one column to the right.
template <int Filters, int Pixels = 1>
using SameConv = std::conditional_t<Pixels == 1, Conv<Filters, Kernel<3>, Padding<1>, Bias>,
                                    Conv<Filters, Kernel<3>, Stride<Pixels>, Padding<0, 0, 1, 1>, Bias>>;

/// A block of version 1: two 3x3 convolutions, and a bare 1x1 convolution as the shortcut where the shape changes.
template <int Filters, int Pixels = 1>
struct KerasCifarBlock
    : Sequential<
          Residual<Sequential<SameConv<Filters, Pixels>, KerasBatchNorm, ReLU, SameConv<Filters>, KerasBatchNorm>,
                   std::conditional_t<Pixels != 1, Conv<Filters, Stride<Pixels>, Bias>, Identity>>,
          ReLU> {};

/// Version 1 with 6 * Blocks + 2 layers: resnet_v1 of Keras' cifar10_resnet example.
template <int Blocks, int Classes>
struct KerasCifarNetwork
    : Network<Input<3, 32, 32>, Stem<SameConv<16>, KerasBatchNorm, ReLU>,
              Scoped<ScopeKind::stack, Repeat<Blocks, KerasCifarBlock<16>>>,
              Scoped<ScopeKind::stack, KerasCifarBlock<32, 2>, Repeat<Blocks - 1, KerasCifarBlock<32>>>,
              Scoped<ScopeKind::stack, KerasCifarBlock<64, 2>, Repeat<Blocks - 1, KerasCifarBlock<64>>>,
              Head<GlobalAvgPool, Linear<Classes>>> {
    static constexpr Naming naming = Naming::keras_order;
    static constexpr ImageConvention images = ImageConvention::cifar;
};

/// A block of version 2: a bottleneck from `Filters` to `Channels` with the stride on its first convolution. The first
/// block of a stage projects its raw input; the very first one has no norm and ReLU before it.
template <int Filters, int Channels, int Pixels, bool Projects, bool Activates = true>
struct KerasCifarBlockV2
    : Residual<Sequential<std::conditional_t<Activates, Sequential<KerasBatchNorm, ReLU>, Identity>,
                          Conv<Filters, Stride<Pixels>, Bias>, KerasBatchNorm, ReLU, SameConv<Filters>, KerasBatchNorm,
                          ReLU, Conv<Channels, Bias>>,
               std::conditional_t<Projects, Conv<Channels, Stride<Pixels>, Bias>, Identity>> {};

/// Version 2 with 9 * Blocks + 2 layers: resnet_v2 of Keras' cifar10_resnet example.
template <int Blocks, int Classes>
struct KerasCifarNetworkV2 : Network<Input<3, 32, 32>, Stem<SameConv<16>, KerasBatchNorm, ReLU>,
                                     Scoped<ScopeKind::stack, KerasCifarBlockV2<16, 64, 1, true, false>,
                                            Repeat<Blocks - 1, KerasCifarBlockV2<16, 64, 1, false>>>,
                                     Scoped<ScopeKind::stack, KerasCifarBlockV2<64, 128, 2, true>,
                                            Repeat<Blocks - 1, KerasCifarBlockV2<64, 128, 1, false>>>,
                                     Scoped<ScopeKind::stack, KerasCifarBlockV2<128, 256, 2, true>,
                                            Repeat<Blocks - 1, KerasCifarBlockV2<128, 256, 1, false>>>,
                                     Head<KerasBatchNorm, ReLU, GlobalAvgPool, Linear<Classes>>> {
    static constexpr Naming naming = Naming::keras_order;
    static constexpr ImageConvention images = ImageConvention::cifar;
};

}  // namespace detail

/// Keras' ResNet20v1 on CIFAR: 273,066 trainable parameters with 10 classes.
template <int Classes = 10>
struct KerasCifarResNet20 : detail::KerasCifarNetwork<3, Classes> {};
/// Keras' ResNet32v1 on CIFAR: 467,946 trainable parameters with 10 classes.
template <int Classes = 10>
struct KerasCifarResNet32 : detail::KerasCifarNetwork<5, Classes> {};
/// Keras' ResNet44v1 on CIFAR: 662,826 trainable parameters with 10 classes.
template <int Classes = 10>
struct KerasCifarResNet44 : detail::KerasCifarNetwork<7, Classes> {};
/// Keras' ResNet56v1 on CIFAR: 857,706 trainable parameters with 10 classes.
template <int Classes = 10>
struct KerasCifarResNet56 : detail::KerasCifarNetwork<9, Classes> {};
/// Keras' ResNet110v1 on CIFAR: 1,734,666 trainable parameters with 10 classes.
template <int Classes = 10>
struct KerasCifarResNet110 : detail::KerasCifarNetwork<18, Classes> {};

/// Keras' ResNet20v2 on CIFAR: 570,602 trainable parameters with 10 classes.
template <int Classes = 10>
struct KerasCifarResNet20V2 : detail::KerasCifarNetworkV2<2, Classes> {};
/// Keras' ResNet56v2 on CIFAR: 1,663,338 trainable parameters with 10 classes.
template <int Classes = 10>
struct KerasCifarResNet56V2 : detail::KerasCifarNetworkV2<6, Classes> {};
/// Keras' ResNet110v2 on CIFAR: 3,302,442 trainable parameters with 10 classes.
template <int Classes = 10>
struct KerasCifarResNet110V2 : detail::KerasCifarNetworkV2<12, Classes> {};

/// MLPerf Tiny's image classification network: 78,666 parameters with the running statistics; input 0 to 255.
template <int Classes = 10>
struct MlperfTinyResNet8 : detail::KerasCifarNetwork<1, Classes> {
    static constexpr ImageConvention images = ImageConvention::raw;
};

}  // namespace tenon
