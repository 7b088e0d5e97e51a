// The networks that scripts/gpu_check compares and measures.
#pragma once

#include <tenon/models/cifar.hpp>
#include <tenon/models/fashion_mnist.hpp>
#include <tenon/models/resnet_v1.hpp>
#include <tenon/models/resnet_v2.hpp>
#include <tenon/topology/channel_ops.hpp>

namespace gpu_check {

struct Small : tenon::FashionMnistResNet {};
struct Cifar : tenon::CifarResNet20V2<10> {};
struct PostActivation : tenon::ResNet50<> {};
struct Listing : tenon::ResNet50V2<tenon::Classes<1000>> {};

/// For gradients below 32 bits: a strided stem and block without kinks, with maps and channels large enough for large
/// tiles.
struct Smooth
    : tenon::Network<tenon::Input<3, 64, 64>, tenon::Conv<64, tenon::Kernel<7>, tenon::Stride<2>, tenon::Padding<3>>,
                     tenon::BatchNorm, tenon::Sigmoid,
                     tenon::Residual<tenon::Conv<128, tenon::Kernel<3>, tenon::Stride<2>, tenon::Padding<1>>,
                                     tenon::Conv<128, tenon::Kernel<1>, tenon::Stride<2>>>,
                     tenon::BatchNorm, tenon::Sigmoid, tenon::AvgPool<tenon::Kernel<4>>, tenon::Flatten,
                     tenon::Linear<100>> {};

}  // namespace gpu_check
