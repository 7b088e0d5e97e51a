// Means and standard deviations of well-known data sets, for Normalize.
//
//     Normalize{imagenet_mean, imagenet_deviation}
#pragma once

#include <array>

namespace tenon {

/// Mean and standard deviation of ImageNet's training photos by channel (red, green, blue), samples / 255. For photos
/// of any kind: weights of torchvision's networks expect them. Equal torchvision's Normalize(mean=[0.485, 0.456,
/// 0.406], std=[0.229, 0.224, 0.225]).
inline constexpr std::array<float, 3> imagenet_mean = {0.485F, 0.456F, 0.406F};
inline constexpr std::array<float, 3> imagenet_deviation = {0.229F, 0.224F, 0.225F};

/// The same of CIFAR-10's training images.
inline constexpr std::array<float, 3> cifar10_mean = {0.4914F, 0.4822F, 0.4465F};
inline constexpr std::array<float, 3> cifar10_deviation = {0.2470F, 0.2435F, 0.2616F};

/// The same of CIFAR-100's training images.
inline constexpr std::array<float, 3> cifar100_mean = {0.5071F, 0.4865F, 0.4409F};
inline constexpr std::array<float, 3> cifar100_deviation = {0.2673F, 0.2564F, 0.2762F};

/// The same of Fashion-MNIST's training images, which have one channel.
inline constexpr std::array<float, 3> fashion_mnist_mean = {0.2860F, 0, 0};
inline constexpr std::array<float, 3> fashion_mnist_deviation = {0.3530F, 1, 1};

}  // namespace tenon
