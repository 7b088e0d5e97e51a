#pragma once
// IWYU pragma: private, include <tenon/data.hpp>

// An image in memory, and its conversion between gray and RGB.

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <tenon/core/error.hpp>
#include <tenon/core/index.hpp>
#include <tenon/core/isa.hpp>
#include <tenon/core/moved_from.hpp>
#include <tenon/core/sentence.hpp>
#include <tenon/core/span_of.hpp>

namespace tenon {
inline namespace TENON_ISA_NAMESPACE {

/// An image of 8 bits per sample that owns its pixels: `height` rows from top to bottom, each of `width` pixels from
/// left to right, each of `channels` adjacent samples: 1 (gray) or 3 (red, green, blue). No padding between rows. An
/// image that was moved from has no pixels.
class Image {
public:
    struct View;  ///< pixels that belong to somebody else (image_view.hpp)

    /// An image without pixels.
    Image() = default;

    /// A black image. Throws tenon::Error unless height and width are positive and channels is 1 or 3.
    Image(int height, int width, int channels)
        : height_(height), width_(width), channels_(channels), pixels_(checked_size(height, width, channels)) {}

    /// An image of the given samples, in the order described above. Throws tenon::Error when the sizes are invalid as
    /// above or the number of samples isn't height x width x channels.
    Image(int height, int width, int channels, std::vector<std::uint8_t> pixels)
        : height_(height), width_(width), channels_(channels), pixels_(std::move(pixels)) {
        if (const std::size_t size = checked_size(height, width, channels); pixels_.size() != size)
            detail::throw_error({"expected ", size, " samples for an image of ", height, " x ", width, " pixels with ",
                                 channels, " channels, found ", pixels_.size()});
    }

    int height() const { return height_; }
    int width() const { return width_; }
    int channels() const { return channels_; }
    bool empty() const { return pixels_.empty(); }

    /// The number of samples of one row.
    std::size_t row_size() const { return static_cast<std::size_t>(width_) * static_cast<std::size_t>(channels_); }

    /// All samples, row after row.
    std::span<const std::uint8_t> pixels() const { return detail::span_of(pixels_); }
    std::span<std::uint8_t> pixels() { return detail::span_of(pixels_); }

    /// The samples of row `y`, 0 <= y < height.
    std::span<const std::uint8_t> row(int y) const {
        return {pixels_.data() + detail::index(y) * row_size(), row_size()};
    }
    std::span<std::uint8_t> row(int y) { return {pixels_.data() + detail::index(y) * row_size(), row_size()}; }

    friend bool operator==(const Image&, const Image&) = default;

private:
    static std::size_t checked_size(int height, int width, int channels) {
        if (height <= 0 || width <= 0 || (channels != 1 && channels != 3))
            detail::throw_error({"expected an image of positive height and width and 1 or 3 channels, found ", height,
                                 " x ", width, " pixels with ", channels, " channels"});
        return detail::index(height) * detail::index(width) * detail::index(channels);
    }

    detail::ClearedByMove<int> height_ = 0;
    detail::ClearedByMove<int> width_ = 0;
    detail::ClearedByMove<int> channels_ = 0;
    std::vector<std::uint8_t> pixels_;
};

/// The image in RGB; each gray sample is repeated three times.
template <class Once = void>
Image to_rgb(Image image) {
    if (image.channels() != 1) return image;
    Image rgb(image.height(), image.width(), 3);
    std::uint8_t* target = rgb.pixels().data();
    for (const std::uint8_t sample : image.pixels()) {
        *target++ = sample;
        *target++ = sample;
        *target++ = sample;
    }
    return rgb;
}

}  // namespace TENON_ISA_NAMESPACE

namespace detail {
inline namespace TENON_ISA_NAMESPACE {

/// The luma of ITU-R BT.601: of samples of 8 bits in fixed point, rounded; else in floating point.
inline std::uint8_t luma(std::uint8_t red, std::uint8_t green, std::uint8_t blue) {
    return static_cast<std::uint8_t>((red * 19595 + green * 38470 + blue * 7471 + 0x8000) >> 16);
}
inline float luma(float red, float green, float blue) { return (red * 19595 + green * 38470 + blue * 7471) / 65536; }

}  // namespace TENON_ISA_NAMESPACE
}  // namespace detail

inline namespace TENON_ISA_NAMESPACE {

/// The image in gray: the luma of ITU-R BT.601 in fixed point. Equals PIL's `convert("L")` bit for bit.
template <class Once = void>
Image to_gray(Image image) {
    if (image.channels() != 3) return image;
    Image gray(image.height(), image.width(), 1);
    const std::uint8_t* source = image.pixels().data();
    for (std::uint8_t& sample : gray.pixels()) {
        sample = detail::luma(source[0], source[1], source[2]);
        source += 3;
    }
    return gray;
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon
