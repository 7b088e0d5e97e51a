#pragma once
// IWYU pragma: private, include <tenon/network.hpp>

// MXNet's pre-activated ResNets, which the ONNX model zoo offers as resnet18-v2 and resnet50-v2.

#include <tenon/models/pre_activation.hpp>

namespace tenon {

/// MXNet's resnet18_v2: 11,687,848 parameters with 1000 classes.
template <int Classes = 1000, class In = Input<3, 224, 224>>
struct MxnetResNet18V2
    : detail::PreactivatedNetwork<detail::MxnetFlavour, In, Classes, detail::PreactivatedBasicBlock, 2, 2, 2, 2> {};

/// MXNet's resnet50_v2: timm's resnetv2_50 with a norm of the input and one after the first convolution; 25,549,480
/// parameters with 1000 classes.
template <int Classes = 1000, class In = Input<3, 224, 224>>
struct MxnetResNet50V2
    : detail::PreactivatedNetwork<detail::MxnetFlavour, In, Classes, detail::PreactivatedBottleneck, 3, 4, 6, 3> {};

}  // namespace tenon
