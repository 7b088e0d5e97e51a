#pragma once
// IWYU pragma: private, include <tenon/data.hpp>

// From an image to what a network reads: resize, crop, scale and normalize, in the conventions of the common
// frameworks.
//
//     std::vector<float> input = tenon::preprocess(tenon::read_image("cat.jpg"), tenon::torchvision_imagenet);

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <tenon/core/error.hpp>
#include <tenon/core/isa.hpp>
#include <tenon/core/number_text.hpp>
#include <tenon/image/image.hpp>
#include <tenon/image/resize.hpp>

namespace tenon {

/// How a quotient is rounded to an integer number of pixels.
enum class Rounding {
    down,
    nearest  ///< halves to the even neighbor, as Python's round
};

/// The order of a color image's channels in a network's input.
enum class ChannelOrder { rgb, bgr };

/// What is done to an image before a network reads it: the shorter side is resized, the center is cut out, and each
/// sample becomes (sample x scale - mean) / standard_deviation of its channel. The defaults are torchvision's for
/// ImageNet.
struct Preprocessing {
    int resize = 256;       ///< length of the shorter side after resizing; 0 leaves the image's size
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

/// dividend / divisor as an integer: 5 / 2 -> 2 down, 2 nearest; 7 / 2 -> 3 down, 4 nearest.
inline std::int64_t rounded_quotient(std::int64_t dividend, std::int64_t divisor, Rounding rounding) {
    std::int64_t quotient = dividend / divisor;
    if (rounding == Rounding::nearest) {
        const std::int64_t twice_rest = 2 * (dividend % divisor);
        if (twice_rest > divisor || (twice_rest == divisor && quotient % 2 != 0)) ++quotient;
    }
    return quotient;
}

/// Throws tenon::Error when an option is out of range.
inline void check(const Preprocessing& options) {
    if (options.resize < 0 || options.crop_height <= 0 || options.crop_width <= 0) {
        throw Error("expected a Preprocessing with resize >= 0 and a positive crop, found resize = " +
                    std::to_string(options.resize) + " and a crop of " + std::to_string(options.crop_height) + " x " +
                    std::to_string(options.crop_width) + " pixels");
    }
    if (options.channels != 1 && options.channels != 3) {
        throw Error("expected a Preprocessing with 1 or 3 channels, found " + std::to_string(options.channels));
    }
    if (!std::isfinite(options.scale))
        throw Error("expected a Preprocessing with a finite scale, found " + detail::fixed_text(options.scale));
    for (std::size_t i = 0; i < static_cast<std::size_t>(options.channels); ++i) {
        const std::string channel = " of channel " + std::to_string(i) + " that is ";
        if (!std::isfinite(options.mean[i]))
            throw Error("expected a Preprocessing with a mean" + channel + "a finite number, found " +
                        detail::fixed_text(options.mean[i]));
        if (!(options.standard_deviation[i] > 0) || !std::isfinite(options.standard_deviation[i]))
            throw Error("expected a Preprocessing with a standard deviation" + channel +
                        "a finite number above 0, which samples are divided by, found " +
                        detail::fixed_text(options.standard_deviation[i]));
    }
}

/// The image resized so that its shorter side has `size` pixels and its ratio of width to height stays the same. Equals
/// torchvision's Resize(size). Throws tenon::Error when the image is empty, `size` isn't positive or the result is too
/// large.
inline Image resize_shorter_side(const Image& image, int size, ResizeFilter filter = ResizeFilter::bilinear,
                                 Rounding longer_side = Rounding::down) {
    if (image.empty()) throw Error("expected an image to resize, found one without pixels");
    if (size <= 0)
        throw Error("expected a positive length to resize the shorter side to, found " + std::to_string(size));
    const int shorter = std::min(image.height(), image.width());
    const auto scaled = [&](int side) {
        return rounded_quotient(static_cast<std::int64_t>(side) * size, shorter, longer_side);
    };
    const std::int64_t height = scaled(image.height()), width = scaled(image.width());
    check_resized_size(image, height, width);
    return resize(image, static_cast<int>(height), static_cast<int>(width), filter);
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace detail

inline namespace TENON_ISA_NAMESPACE {

/// The middle of the image, `height` x `width` pixels. When the image is smaller, black borders are added on both
/// sides, the odd pixel on the right or at the bottom. Equals torchvision's CenterCrop((height, width)). Throws
/// tenon::Error when the image is empty or a size isn't positive.
inline Image center_crop(const Image& image, int height, int width, Rounding offset = Rounding::nearest) {
    if (image.empty()) throw Error("expected an image to crop, found one without pixels");
    Image target(height, width, image.channels());

    // Along one axis: the position of the first copied pixel in source and target, and the number of copied pixels.
    struct Overlap {
        int source = 0;
        int target = 0;
        int count = 0;
    };
    const auto overlap = [offset](int source_size, int target_size) -> Overlap {
        if (source_size < target_size) return {0, (target_size - source_size) / 2, source_size};
        return {static_cast<int>(detail::rounded_quotient(source_size - target_size, 2, offset)), 0, target_size};
    };
    const Overlap rows = overlap(image.height(), height);
    const Overlap columns = overlap(image.width(), width);
    const auto channels = static_cast<std::size_t>(image.channels());
    for (int y = 0; y < rows.count; ++y) {
        const auto source = image.row(rows.source + y);
        std::copy_n(source.begin() + static_cast<std::ptrdiff_t>(detail::index(columns.source) * channels),
                    detail::index(columns.count) * channels,
                    target.row(rows.target + y).begin() +
                        static_cast<std::ptrdiff_t>(detail::index(columns.target) * channels));
    }
    return target;
}

/// Writes the network's input for one image: channels x crop_height x crop_width floats, channel by channel (NCHW).
/// Throws tenon::Error, and leaves `output` unchanged, when it has another size, the image is empty or an option is out
/// of range.
inline void preprocess(const Image& image, const Preprocessing& options, std::span<float> output) {
    detail::check(options);
    if (output.size() != options.elements()) {
        throw Error("expected room for the " + std::to_string(options.elements()) +
                    " floats of a preprocessed image, found " + std::to_string(output.size()));
    }
    Image cropped = options.resize > 0
                        ? detail::resize_shorter_side(image, options.resize, options.filter, options.longer_side)
                        : image;
    cropped = center_crop(cropped, options.crop_height, options.crop_width, options.crop_offset);
    cropped = options.channels == 1 ? to_gray(std::move(cropped)) : to_rgb(std::move(cropped));

    const std::span<const std::uint8_t> pixels = cropped.pixels();
    const auto channels = static_cast<std::size_t>(options.channels);
    const std::size_t plane = pixels.size() / channels;
    for (std::size_t channel = 0; channel < channels; ++channel) {
        // In these steps the floats equal torchvision's bit for bit.
        std::array<float, 256> values;
        for (std::size_t sample = 0; sample < values.size(); ++sample) {
            const auto scaled = static_cast<float>(static_cast<double>(sample) * options.scale);
            values[sample] = (scaled - options.mean[channel]) / options.standard_deviation[channel];
        }
        const std::size_t source = options.order == ChannelOrder::rgb ? channel : channels - 1 - channel;
        for (std::size_t i = 0; i < plane; ++i) output[channel * plane + i] = values[pixels[i * channels + source]];
    }
}

/// As above, into a vector of its own.
inline std::vector<float> preprocess(const Image& image, const Preprocessing& options) {
    detail::check(options);
    std::vector<float> output(options.elements());
    preprocess(image, options, output);
    return output;
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon
