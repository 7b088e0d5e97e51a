#pragma once
// IWYU pragma: private, include <tenon/network.hpp>

// The small residual network with which the examples classify color photos of 32 x 32 pixels.

#include <tenon/models/image_convention.hpp>
#include <tenon/topology/channel_ops.hpp>
#include <tenon/topology/combinators.hpp>
#include <tenon/topology/convolution.hpp>
#include <tenon/topology/elementwise.hpp>
#include <tenon/topology/network.hpp>
#include <tenon/topology/pooling.hpp>
#include <tenon/topology/training_parts.hpp>

namespace tenon {

namespace detail {

/// A convolution, a max pool that halves the map, norm and ReLU; then a residual block of two convolutions.
template <int Filters>
struct PooledStage : Scoped<ScopeKind::stack, Conv<Filters, Kernel<3>, Padding<1>>, MaxPool<Kernel<2>>, BatchNorm, ReLU,
                            Residual<Sequential<Conv<Filters, Kernel<3>, Padding<1>>, BatchNorm, ReLU,
                                                Conv<Filters, Kernel<3>, Padding<1>>, BatchNorm>,
                                     Identity>,
                            ReLU> {};

}  // namespace detail

/// A network for the ten classes of CIFAR-10 that trains in little time: wide rather than deep (Page 2018, ResNet-9),
/// with a frozen first layer that whitens patches of 2 x 2 pixels (Jordan 2024, arXiv 2404.00498). 902,058 parameters,
/// 71 M multiply-adds. Input: pixels / 255, then cifar10_mean and cifar10_deviation.
struct Cifar10ResNet
    : Network<Input<3, 32, 32>, Stem<Frozen<Conv<24, Kernel<2>>>, ReLU>, detail::PooledStage<64>,
              detail::PooledStage<128>, detail::PooledStage<128>, Head<GlobalMaxPool, Scale<1, 8>, Linear<10>>> {
    static constexpr ImageConvention images = ImageConvention::cifar;
};

}  // namespace tenon
