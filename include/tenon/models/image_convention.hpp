#pragma once
// IWYU pragma: private, include <tenon/network.hpp>

// What the library that a network is from does to an image before the network reads it.

namespace tenon {

/// A convention for images: scale, means and deviations, the order of the channels, how an image is resized and cut.
/// image/network_preprocessing.hpp has the numbers of each.
enum class ImageConvention {
    torchvision,    ///< ImageNet's mean and deviation, the middle 224 of 256 pixels (also the listing's and MXNet's)
    keras_caffe,    ///< keras.applications' ResNets: blue, green, red, from 0 to 255, minus a mean
    keras_tf,       ///< keras.applications' ResNetV2s: from -1 to 1
    timm,           ///< timm's resnetv2_50 and deeper: from -1 to 1, bicubic, 95 % of the shorter side
    timm_basic,     ///< timm's resnetv2_18 and 34: the same, 90 %
    cifar_torch,    ///< CIFAR images by ImageNet's mean and deviation (akamaster)
    cifar,          ///< CIFAR images by their own mean and deviation
    raw,            ///< samples from 0 to 255 as they are
    fashion_mnist,  ///< Fashion-MNIST's images by their mean and deviation
};

namespace detail {

/// A network that declares its ImageConvention, by a static member `images`.
template <class Net>
concept HasImageConvention = requires {
    Net::images;
};

}  // namespace detail

}  // namespace tenon
