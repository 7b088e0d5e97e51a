// The networks that scripts/gpu_check compares and measures.
#pragma once

#include <tenon/models/cifar.hpp>
#include <tenon/models/fashion_mnist.hpp>
#include <tenon/models/resnet_v1.hpp>
#include <tenon/models/resnet_v2.hpp>

namespace gpu_check {

struct Small : tenon::FashionMnistResNet {};
struct Cifar : tenon::CifarResNet20V2<10> {};
struct PostActivation : tenon::ResNet50<> {};
struct Listing : tenon::ResNet50V2<tenon::Classes<1000>> {};

}  // namespace gpu_check
