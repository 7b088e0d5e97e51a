#pragma once
// IWYU pragma: private, include <tenon/data.hpp>

// Means and standard deviations of well-known data sets, for Normalize.
//
//     Normalize{imagenet_mean, imagenet_deviation}

#include <array>

namespace tenon {

/// The mean of ImageNet's training photos by channel (red, green, blue), of samples / 255. For photos of any kind, as
/// torchvision's weights expect it. With imagenet_deviation it equals torchvision's Normalize(mean=[0.485, 0.456,
/// 0.406], std=[0.229, 0.224, 0.225]).
inline constexpr std::array<float, 3> imagenet_mean = {0.485f, 0.456f, 0.406f};
/// The standard deviation of ImageNet's training photos, by channel, of samples / 255.
inline constexpr std::array<float, 3> imagenet_deviation = {0.229f, 0.224f, 0.225f};

/// The mean of CIFAR-10's training images, by channel (red, green, blue), of samples / 255.
inline constexpr std::array<float, 3> cifar10_mean = {0.4914f, 0.4822f, 0.4465f};
/// The standard deviation of CIFAR-10's training images, by channel, of samples / 255.
inline constexpr std::array<float, 3> cifar10_deviation = {0.2470f, 0.2435f, 0.2616f};

/// The mean of CIFAR-100's training images, by channel (red, green, blue), of samples / 255.
inline constexpr std::array<float, 3> cifar100_mean = {0.5071f, 0.4865f, 0.4409f};
/// The standard deviation of CIFAR-100's training images, by channel, of samples / 255.
inline constexpr std::array<float, 3> cifar100_deviation = {0.2673f, 0.2564f, 0.2762f};

/// The mean of Fashion-MNIST's training images, which have one channel, of samples / 255.
inline constexpr std::array<float, 3> fashion_mnist_mean = {0.2860f, 0, 0};
/// The standard deviation of Fashion-MNIST's training images, which have one channel, of samples / 255.
inline constexpr std::array<float, 3> fashion_mnist_deviation = {0.3530f, 1, 1};

}  // namespace tenon
