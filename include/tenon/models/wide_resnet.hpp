#pragma once
// IWYU pragma: private, include <tenon/network.hpp>

// Wide ResNets on CIFAR (Zagoruyko and Komodakis 2016): pre-activated basic blocks with k times the channels.

#include <tenon/models/pre_activation.hpp>

namespace tenon {

namespace detail {

/// A wide block in torch's conventions; the projection reads the pre-activated input.
template <class Flavour, int Filters, int Pixels, PreactivatedShortcut Kind>
struct WideBlock : PreactivatedBasicBlock<Flavour, Filters, Pixels, Kind> {};

/// WRN-Depth-Widen on CIFAR: (Depth - 4) / 6 blocks in each of three stages.
template <int Depth, int Widen, int Classes = 10, class In = Input<3, 32, 32>>
requires(Depth >= 16 && Depth % 6 == 4) struct WideNetwork
    : Network<In, Stem<Conv<16, Kernel<3>, Padding<1>>>,
              PreactivatedStage<TorchvisionFlavour, WideBlock, 16 * Widen, (Depth - 4) / 6, 1, Widen != 1>,
              PreactivatedStage<TorchvisionFlavour, WideBlock, 32 * Widen, (Depth - 4) / 6, 2, true>,
              PreactivatedStage<TorchvisionFlavour, WideBlock, 64 * Widen, (Depth - 4) / 6, 2, true>,
              Head<BatchNorm, ReLU, GlobalAvgPool, Linear<Classes>>> {
    static constexpr Naming naming = Naming::wide;
    static constexpr ImageConvention images = ImageConvention::cifar;
};

}  // namespace detail

/// WRN-16-1: 175,066 parameters with 10 classes.
template <int Classes = 10, class In = Input<3, 32, 32>>
struct WideResNet16_1 : detail::WideNetwork<16, 1, Classes, In> {};

/// WRN-16-4: 2,748,890 parameters with 10 classes.
template <int Classes = 10, class In = Input<3, 32, 32>>
struct WideResNet16_4 : detail::WideNetwork<16, 4, Classes, In> {};

/// WRN-28-10: 36,479,194 parameters and 5.2 G multiply-adds with 10 classes.
template <int Classes = 10, class In = Input<3, 32, 32>>
struct WideResNet28_10 : detail::WideNetwork<28, 10, Classes, In> {};

}  // namespace tenon
