#pragma once
// IWYU pragma: private, include <tenon/data.hpp>

// From an image to what a network reads: resize, crop, scale and normalize, in the conventions of the common
// frameworks.
//
//     std::vector<float> input = tenon::preprocess(tenon::read_image("cat.jpg"), tenon::torchvision_imagenet);
//     tenon::preprocess(tenon::Image::View::interleaved(frame, 480, 640, 3), options, input);  // a camera's buffer

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <tenon/core/error.hpp>
#include <tenon/core/index.hpp>
#include <tenon/core/isa.hpp>
#include <tenon/core/sentence.hpp>
#include <tenon/image/image.hpp>
#include <tenon/image/image_view.hpp>
#include <tenon/image/preprocessing.hpp>
#include <tenon/image/resize.hpp>
#include <tenon/image/resize_floats.hpp>

namespace tenon {
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

/// The height and width after the shorter side is resized to `size`. Throws tenon::Error when they are too large.
template <class Once = void>
std::pair<int, int> size_by_shorter_side(const PixelRows& image, int size, Rounding longer_side) {
    const int shorter = std::min(image.height, image.width);
    const auto scaled = [&](int side) { return rounded_quotient(std::int64_t{side} * size, shorter, longer_side); };
    const std::int64_t height = scaled(image.height), width = scaled(image.width);
    check_resized_size(image, height, width);
    return {static_cast<int>(height), static_cast<int>(width)};
}

/// The image resized so that its shorter side has `size` pixels and its ratio of width to height stays the same. Equals
/// torchvision's Resize(size). Throws tenon::Error when the image is empty, `size` isn't positive or the result is too
/// large.
template <class Once = void>
Image resize_shorter_side(const Image& image, int size, ResizeFilter filter = ResizeFilter::bilinear,
                          Rounding longer_side = Rounding::down) {
    if (image.empty()) throw Error("expected an image to resize, found one without pixels");
    if (size <= 0) detail::throw_error({"expected a positive length to resize the shorter side to, found ", size});
    const auto [height, width] = size_by_shorter_side(rows_of(image), size, longer_side);
    return resize(image, height, width, filter);
}

/// Where a part of `source_size` pixels in a row (or column) of an image is copied to, one of `target_size`.
struct Overlap {
    int source = 0, target = 0, count = 0;
};
inline Overlap center_overlap(int source_size, int target_size, Rounding offset) {
    if (source_size < target_size) return {0, (target_size - source_size) / 2, source_size};
    return {static_cast<int>(rounded_quotient(source_size - target_size, 2, offset)), 0, target_size};
}

/// A copy of pixels of 8 bits without gaps: gray, or the first three channels in their order.
template <class Once = void>
Image to_image(const Image::View& view) {
    Image image(view.height, view.width, view.channels == 1 ? 1 : 3);
    std::uint8_t* target = image.pixels().data();
    for (int y = 0; y < view.height; ++y)
        for (int x = 0; x < view.width; ++x)
            for (int c = 0; c < image.channels(); ++c)
                *target++ = std::to_integer<std::uint8_t>(
                    view.data[y * view.row_step + x * view.pixel_step + c * view.channel_step]);
    return image;
}

/// The height and width that the options resize pixels to. Throws tenon::Error when they are too large.
template <class Once = void>
std::pair<int, int> resized_size(const Image::View& view, const Preprocessing& options) {
    const PixelRows size{nullptr, 0, view.height, view.width, 0};
    if (options.stretch) {
        check_resized_size(size, options.crop_height, options.crop_width);
        return {options.crop_height, options.crop_width};
    }
    if (options.resize > 0) return size_by_shorter_side(size, options.resize, options.longer_side);
    return {view.height, view.width};
}

/// Pixels of 8 bits resized. Rows of adjacent pixels are read where they are.
template <class Once = void>
Image resize_samples(const Image::View& view, int height, int width, ResizeFilter filter) {
    PixelRows rows{reinterpret_cast<const std::uint8_t*>(view.data), view.row_step, view.height, view.width,
                   view.channels == 1 ? 1 : 3};
    Image dense;
    if (view.pixel_step != rows.channels || view.channel_step != 1) {
        dense = to_image(view);
        rows = rows_of(dense);
    }
    return resize_both(rows, height, width, filter);
}

/// Writes the middle of the pixels, normalized, channel by channel. No memory is allocated.
template <class Sample>
void write_normalized(const Image::View& view, const Preprocessing& options, std::span<float> output) {
    const Overlap rows = center_overlap(view.height, options.crop_height, options.crop_offset);
    const Overlap columns = center_overlap(view.width, options.crop_width, options.crop_offset);
    const std::byte* const first = view.data + rows.source * view.row_step + columns.source * view.pixel_step;
    const std::size_t plane = options.elements() / detail::index(options.channels);
    const bool has_border = rows.count < options.crop_height || columns.count < options.crop_width;
    // The sample of one color (0 red, 1 green, 2 blue) of a pixel; views may be unaligned.
    const auto sample = [&](const std::byte* pixel, int color) {
        const int channel = view.channels == 1 ? 0 : view.order == ChannelOrder::rgb ? color : 2 - color;
        Sample value;
        std::memcpy(&value, pixel + channel * view.channel_step, sizeof value);
        return value;
    };
    for (int channel = 0; channel < options.channels; ++channel) {
        const auto index = detail::index(channel);
        // In these steps the floats equal torchvision's bit for bit.
        const auto normalized = [&](double value) {
            return (static_cast<float>(value * options.scale) - options.mean[index]) /
                   options.standard_deviation[index];
        };
        std::array<float, 256> values;  // of all samples of 8 bits
        if constexpr (std::is_same_v<Sample, std::uint8_t>)
            for (int value = 0; value < 256; ++value) values[detail::index(value)] = normalized(value);
        const std::span<float> target = output.subspan(index * plane, plane);
        if (has_border) std::fill(target.begin(), target.end(), normalized(0));
        const auto write = [&](const auto& value_of) {
            for (int y = 0; y < rows.count; ++y) {
                const std::byte* pixel = first + y * view.row_step;
                float* result =
                    target.data() + detail::index(rows.target + y) * detail::index(options.crop_width) + columns.target;
                for (int x = 0; x < columns.count; ++x, pixel += view.pixel_step) {
                    if constexpr (std::is_same_v<Sample, std::uint8_t>)
                        *result++ = values[value_of(pixel)];
                    else
                        *result++ = normalized(static_cast<double>(value_of(pixel)));
                }
            }
        };
        if (options.channels == 1 && view.channels != 1) {
            write([&](const std::byte* pixel) { return luma(sample(pixel, 0), sample(pixel, 1), sample(pixel, 2)); });
        } else {
            const int color = options.order == ChannelOrder::rgb ? channel : 2 - channel;
            write([&, color](const std::byte* pixel) { return sample(pixel, color); });
        }
    }
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace detail

inline namespace TENON_ISA_NAMESPACE {

/// The middle of the image, `height` x `width` pixels. When the image is smaller, black borders are added on both
/// sides, the odd pixel on the right or at the bottom. Equals torchvision's CenterCrop((height, width)). Throws
/// tenon::Error when the image is empty or a size isn't positive.
template <class Once = void>
Image center_crop(const Image& image, int height, int width, Rounding offset = Rounding::nearest) {
    if (image.empty()) throw Error("expected an image to crop, found one without pixels");
    Image target(height, width, image.channels());

    const detail::Overlap rows = detail::center_overlap(image.height(), height, offset);
    const detail::Overlap columns = detail::center_overlap(image.width(), width, offset);
    const auto channels = detail::index(image.channels());
    for (int y = 0; y < rows.count; ++y) {
        const auto source = image.row(rows.source + y);
        std::copy_n(source.begin() + static_cast<std::ptrdiff_t>(detail::index(columns.source) * channels),
                    detail::index(columns.count) * channels,
                    target.row(rows.target + y).begin() +
                        static_cast<std::ptrdiff_t>(detail::index(columns.target) * channels));
    }
    return target;
}

/// Writes the network's input for pixels in memory: channels x crop_height x crop_width floats, channel by channel
/// (NCHW). Pixels that need no resizing are read once and nothing is allocated. Samples of 8 bits give the same floats
/// as an Image of them, bit for bit. Floats are resized in floats, as PIL resizes images of mode F; `scale` applies to
/// them, too: 1 for samples from 0 to 1 with the usual means. Throws tenon::Error, and leaves `output` unchanged, when
/// it has another size, there are no pixels, rows overlap or an option is out of range.
template <class Once = void>
void preprocess(const Image::View& view, const Preprocessing& options, std::span<float> output) {
    detail::check_preprocessing(options);
    detail::check(view);
    if (output.size() != options.elements())
        detail::throw_error(
            {"expected room for the ", options.elements(), " floats of a preprocessed image, found ", output.size()});
    const auto [height, width] = detail::resized_size(view, options);
    const bool has_size = height == view.height && width == view.width;
    if (view.floats && has_size) {
        detail::write_normalized<float>(view, options, output);
    } else if (view.floats) {
        const detail::FloatPlanes small = detail::resize_floats(view, height, width, options.filter);
        detail::write_normalized<float>(small.view(view.order), options, output);
    } else if (has_size) {
        detail::write_normalized<std::uint8_t>(view, options, output);
    } else {
        const Image image = detail::resize_samples(view, height, width, options.filter);
        Image::View small = detail::view_of(image);
        small.order = view.order;
        detail::write_normalized<std::uint8_t>(small, options, output);
    }
}

/// The same for an image. Throws tenon::Error also when it has no pixels.
template <class Once = void>
void preprocess(const Image& image, const Preprocessing& options, std::span<float> output) {
    detail::check_preprocessing(options);
    if (image.empty()) throw Error("expected an image to preprocess, found one without pixels");
    preprocess(detail::view_of(image), options, output);
}

/// As above, into a vector of its own.
template <class Once = void>
std::vector<float> preprocess(const Image& image, const Preprocessing& options) {
    detail::check_preprocessing(options);
    std::vector<float> output(options.elements());
    preprocess(image, options, output);
    return output;
}
template <class Once = void>
std::vector<float> preprocess(const Image::View& view, const Preprocessing& options) {
    detail::check_preprocessing(options);
    std::vector<float> output(options.elements());
    preprocess(view, options, output);
    return output;
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon
