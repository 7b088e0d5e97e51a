#pragma once
// IWYU pragma: private, include <tenon/network.hpp>

// timm's pre-activated ResNets.

#include <tenon/models/pre_activation.hpp>

namespace tenon {

/// timm's resnetv2_18: 11,687,720 parameters with 1000 classes.
template <int Classes = 1000, class In = Input<3, 224, 224>>
struct TimmResNetV2_18
    : detail::PreactivatedNetwork<detail::TimmFlavour, In, Classes, detail::PreactivatedBasicBlock, 2, 2, 2, 2> {
    static constexpr ImageConvention images = ImageConvention::timm_basic;
};

/// timm's resnetv2_34: 21,795,880 parameters with 1000 classes.
template <int Classes = 1000, class In = Input<3, 224, 224>>
struct TimmResNetV2_34
    : detail::PreactivatedNetwork<detail::TimmFlavour, In, Classes, detail::PreactivatedBasicBlock, 3, 4, 6, 3> {
    static constexpr ImageConvention images = ImageConvention::timm_basic;
};

/// timm's resnetv2_50: 25,549,352 parameters and 4.089 G multiply-adds with 1000 classes.
template <int Classes = 1000, class In = Input<3, 224, 224>>
struct TimmResNetV2_50
    : detail::PreactivatedNetwork<detail::TimmFlavour, In, Classes, detail::PreactivatedBottleneck, 3, 4, 6, 3> {};

/// timm's resnetv2_101: 44,541,480 parameters with 1000 classes.
template <int Classes = 1000, class In = Input<3, 224, 224>>
struct TimmResNetV2_101
    : detail::PreactivatedNetwork<detail::TimmFlavour, In, Classes, detail::PreactivatedBottleneck, 3, 4, 23, 3> {};

}  // namespace tenon
