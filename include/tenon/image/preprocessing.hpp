#pragma once
// IWYU pragma: private, include <tenon/data.hpp>

// What is done to an image before a network reads it, in the conventions of the common frameworks: the options of
// preprocess.

#include <array>
#include <cmath>
#include <cstddef>
#include <string>

#include <tenon/core/cold.hpp>
#include <tenon/core/error.hpp>
#include <tenon/core/index.hpp>
#include <tenon/core/isa.hpp>
#include <tenon/core/number_text.hpp>
#include <tenon/core/sentence.hpp>
#include <tenon/image/image_view.hpp>
#include <tenon/image/resize.hpp>

namespace tenon {

/// How a quotient is rounded to an integer number of pixels.
enum class Rounding {
    down,
    nearest  ///< halves to the even neighbor, as Python's round
};

/// What is done to an image before a network reads it: the shorter side is resized, the center is cut out, and each
/// sample becomes (sample x scale - mean) / standard_deviation of its channel. The defaults are torchvision's for
/// ImageNet.
struct Preprocessing {
    int resize = 256;       ///< length of the shorter side after resizing; 0 leaves the image's size
    bool stretch = false;   ///< instead of `resize`: the whole image becomes crop_height x crop_width, whatever its
                            ///< proportions, as by Keras' load_img(target_size=...)
    int crop_height = 224;  ///< rows of the network's input; black borders are added where the image is smaller
    int crop_width = 224;   ///< columns of the network's input
    int channels = 3;       ///< 1 (gray) or 3
    ResizeFilter filter = ResizeFilter::bilinear;
    Rounding longer_side = Rounding::down;     ///< of resize x longer side / shorter side
    Rounding crop_offset = Rounding::nearest;  ///< of half the pixels that the crop leaves out
    ChannelOrder order = ChannelOrder::rgb;
    double scale = 1.0 / 255;
    std::array<float, 3> mean = {0.485f, 0.456f, 0.406f};  ///< in the order `order`; only the first for gray images
    std::array<float, 3> standard_deviation = {0.229f, 0.224f, 0.225f};  ///< above 0

    /// The number of floats of one preprocessed image.
    constexpr std::size_t elements() const {
        return static_cast<std::size_t>(channels) * static_cast<std::size_t>(crop_height) *
               static_cast<std::size_t>(crop_width);
    }

    friend bool operator==(const Preprocessing&, const Preprocessing&) = default;
};

/// Resize(256), CenterCrop(224), ToTensor, Normalize of torchvision's ImageNet models ("torch" in Keras).
inline constexpr Preprocessing torchvision_imagenet{};

/// Samples from -1 to 1, as Keras' ResNetV2 family reads them ("tf").
inline constexpr Preprocessing keras_tf_imagenet{
    .scale = 1 / 127.5, .mean = {1, 1, 1}, .standard_deviation = {1, 1, 1}};

/// Blue, green, red with the mean removed but unscaled, as Keras' first ResNets read them ("caffe").
inline constexpr Preprocessing keras_caffe_imagenet{
    .order = ChannelOrder::bgr, .scale = 1, .mean = {103.939f, 116.779f, 123.68f}, .standard_deviation = {1, 1, 1}};

/// The preprocessing of tenon::FashionMnistResNet: gray, 28 x 28 pixels, mean 0 and variance 1 over the training
/// images.
inline constexpr Preprocessing fashion_mnist_preprocessing{.resize = 28,
                                                           .crop_height = 28,
                                                           .crop_width = 28,
                                                           .channels = 1,
                                                           .mean = {0.2860f},
                                                           .standard_deviation = {0.3530f}};

namespace detail {
inline namespace TENON_ISA_NAMESPACE {

/// Throws tenon::Error when an option is out of range.
template <class Once = void>
TENON_RUNS_ONCE void check_preprocessing(const Preprocessing& options) {
    if (options.resize < 0 || options.crop_height <= 0 || options.crop_width <= 0)
        detail::throw_error(
            {"expected a Preprocessing with resize >= 0 and a positive crop, found resize = ", options.resize,
             " and a crop of ", options.crop_height, " x ", options.crop_width, " pixels"});
    if (options.channels != 1 && options.channels != 3)
        detail::throw_error({"expected a Preprocessing with 1 or 3 channels, found ", options.channels});
    if (!std::isfinite(options.scale))
        detail::throw_error(
            {"expected a Preprocessing with a finite scale, found ", detail::fixed_text(options.scale)});
    for (std::size_t i = 0; i < detail::index(options.channels); ++i) {
        const std::string channel = detail::joined({" of channel ", i, " that is "});
        if (!std::isfinite(options.mean[i]))
            detail::throw_error({"expected a Preprocessing with a mean", channel, "a finite number, found ",
                                 detail::fixed_text(options.mean[i])});
        if (!(options.standard_deviation[i] > 0) || !std::isfinite(options.standard_deviation[i]))
            detail::throw_error({"expected a Preprocessing with a standard deviation", channel,
                                 "a finite number above 0, which samples are divided by, found ",
                                 detail::fixed_text(options.standard_deviation[i])});
    }
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace detail

}  // namespace tenon

namespace tenon::programs {

/// Throws tenon::Error when an option of a Preprocessing is out of range.
using detail::check_preprocessing;

}  // namespace tenon::programs
