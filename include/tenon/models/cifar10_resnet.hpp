// The small residual network that the examples classify colour photos of 32 x 32 pixels with.
#pragma once

#include <tenon/models/image_convention.hpp>
#include <tenon/topology/combinators.hpp>
#include <tenon/topology/convolution.hpp>
#include <tenon/topology/elementwise.hpp>
#include <tenon/topology/gating.hpp>
#include <tenon/topology/network.hpp>
#include <tenon/topology/pooling.hpp>
#include <tenon/topology/training_parts.hpp>

namespace tenon {

/// A convolution that halves the map by a maximum in front of its norm, then a residual block of two convolutions.
template <int Filters>
struct PooledStage : Scoped<ScopeKind::stack, Conv<Filters, Kernel<3>, Padding<1>>, MaxPool<Kernel<2>>, BatchNorm, ReLU,
                            Residual<Sequential<Conv<Filters, Kernel<3>, Padding<1>>, BatchNorm, ReLU,
                                                Conv<Filters, Kernel<3>, Padding<1>>, BatchNorm>,
                                     Identity>,
                            ReLU> {};

/// A network for the ten classes of CIFAR-10 that trains in little time: wide rather than deep (Page 2018, ResNet-9),
/// with a frozen first layer that whitens patches of 2 x 2 pixels (Jordan 2024, arXiv 2404.00498). 902,058 parameters,
/// 71 M multiply-adds. Input: pixels / 255, then cifar10_mean and cifar10_deviation.
struct Cifar10ResNet : Network<Input<3, 32, 32>, Stem<Frozen<Conv<24, Kernel<2>>>, ReLU>, PooledStage<64>,
                               PooledStage<128>, PooledStage<128>, Head<GlobalMaxPool, Scale<1, 8>, Linear<10>>> {
    static constexpr ImageConvention images = ImageConvention::cifar;
};

}  // namespace tenon
