#pragma once
// IWYU pragma: private, include <tenon/network.hpp>

// The small pre-activated ResNet with which the examples classify clothes.

#include <tenon/models/image_convention.hpp>
#include <tenon/models/naming.hpp>
#include <tenon/topology/block.hpp>
#include <tenon/topology/facts.hpp>

namespace tenon {

namespace detail {

/// A template, so that files which don't use the network don't have it lowered and checked.
template <class Once>
struct FashionMnistNetwork
    : Network<Input<1, 28, 28>, Stem<Conv<32, Kernel<3>, Padding<1>>>, Stack<16, 3>, Stack<32, 3>,
              Stack<64, 3, Stride<1>>, Head<BatchNorm, ReLU, GlobalAvgPool, Linear<10>>> {
    static constexpr Naming naming = Naming::listing;
    static constexpr ImageConvention images = ImageConvention::fashion_mnist;
};

}  // namespace detail

/// Block and Stack of the listing on 28 x 28 gray images (Fashion-MNIST: 10 classes of clothes). 313,386 parameters,
/// 30.6 M multiply-adds. Input: pixels / 255, minus 0.2860, divided by 0.3530.
using FashionMnistResNet = detail::FashionMnistNetwork<void>;

}  // namespace tenon
