#pragma once
// IWYU pragma: private, include <tenon/data.hpp>

// ColorJitter: brightness, contrast, saturation and hue of an image at random; and how each of them is changed.

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>

#include <tenon/core/error.hpp>
#include <tenon/core/isa.hpp>
#include <tenon/core/number_text.hpp>
#include <tenon/data/picture.hpp>

namespace tenon {

namespace detail {
inline namespace TENON_ISA_NAMESPACE {

/// `factor` of an image and the rest of another one, clipped to the samples of an image: a factor above 1 leads away
/// from the other.
inline float blended(float sample, double other, double factor) {
    return static_cast<float>(std::clamp(factor * static_cast<double>(sample) + (1 - factor) * other, 0.0, 255.0));
}

/// The luma of pixel `i`, as torchvision has it.
inline double luma_of(const Picture& picture, std::size_t i) {
    const std::size_t pixels = static_cast<std::size_t>(picture.shape.pixels());
    const auto sample = [&](std::size_t channel) { return static_cast<double>(picture.samples[channel * pixels + i]); };
    return picture.shape.channels == 3 ? 0.2989 * sample(0) + 0.587 * sample(1) + 0.114 * sample(2) : sample(0);
}

inline void change_brightness(Picture& picture, double factor) {
    for (float& sample : picture.samples) sample = blended(sample, 0, factor);
}
/// Towards the mean luma of the image, or away from it.
inline void change_contrast(Picture& picture, double factor) {
    double mean = 0;
    const auto pixels = static_cast<std::size_t>(picture.shape.pixels());
    for (std::size_t i = 0; i < pixels; ++i) mean += luma_of(picture, i);
    mean /= static_cast<double>(pixels);
    for (float& sample : picture.samples) sample = blended(sample, mean, factor);
}
/// Towards gray, or away from it.
inline void change_saturation(Picture& picture, double factor) {
    const auto pixels = static_cast<std::size_t>(picture.shape.pixels());
    if (picture.shape.channels != 3) return;
    for (std::size_t i = 0; i < pixels; ++i) {
        const double luma = luma_of(picture, i);
        for (std::size_t c = 0; c < 3; ++c)
            picture.samples[c * pixels + i] = blended(picture.samples[c * pixels + i], luma, factor);
    }
}

/// Turns the hue of red, green and blue by a share of the circle of colors; value and saturation (HSV) stay.
inline std::array<double, 3> with_hue_turned(const std::array<double, 3>& rgb, double share) {
    const auto [low, high] = std::minmax({rgb[0], rgb[1], rgb[2]});
    const double range = high - low;
    if (range <= 0) return rgb;
    // In sixths of the circle, red at 0, green at 2, blue at 4.
    double hue = high == rgb[0]   ? (rgb[1] - rgb[2]) / range
                 : high == rgb[1] ? 2 + (rgb[2] - rgb[0]) / range
                                  : 4 + (rgb[0] - rgb[1]) / range;
    hue += 6 * share;
    std::array<double, 3> turned{};
    for (std::size_t c = 0; c < 3; ++c) {
        double distance = std::fmod(hue - 2 * static_cast<double>(c) + 15, 6) - 3;  // from this color, -3 to 3
        distance = std::abs(distance);
        turned[c] = low + range * std::clamp(2 - distance, 0.0, 1.0);
    }
    return turned;
}
inline void change_hue(Picture& picture, double share) {
    const auto pixels = static_cast<std::size_t>(picture.shape.pixels());
    if (picture.shape.channels != 3) return;
    for (std::size_t i = 0; i < pixels; ++i) {
        std::array<double, 3> rgb{};
        for (std::size_t c = 0; c < 3; ++c) rgb[c] = static_cast<double>(picture.samples[c * pixels + i]);
        rgb = with_hue_turned(rgb, share);
        for (std::size_t c = 0; c < 3; ++c) picture.samples[c * pixels + i] = static_cast<float>(rgb[c]);
    }
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace detail

/// Augmentations besides crops and flips, steps of a Pipeline that come before Normalize; CutMix of a Loader; and what
/// to average over when a network is tested.
namespace augmentations {
inline namespace TENON_ISA_NAMESPACE {

/// Changes brightness, contrast and saturation by factors between 1 - x and 1 + x, at least 0, and turns the hue by at
/// most `hue` of the circle of colors, in random order; all are drawn anew in each epoch. Equals torchvision's
/// ColorJitter(brightness, contrast, saturation, hue) of images in floats. Gray images have neither saturation nor hue.
struct ColorJitter {
    double brightness = 0, contrast = 0, saturation = 0;  ///< 0: unchanged
    double hue = 0;                                       ///< 0 to 0.5

    static constexpr std::string_view purpose = "color_jitter";

    /// Throws tenon::Error for an option out of range, and for images in neither gray nor red, green and blue.
    Shape result(const Shape& shape) const {
        for (const auto& [name, value, limit] : {std::tuple{"brightness", brightness, 100.0},
                                                 {"contrast", contrast, 100.0},
                                                 {"saturation", saturation, 100.0},
                                                 {"hue", hue, 0.5}})
            if (!(value >= 0 && value <= limit))
                throw Error("expected ColorJitter with a " + std::string(name) + " from 0 to " +
                            detail::number_text(limit, std::chars_format::general, 3) + ", found " +
                            detail::fixed_text(value));
        if (shape.channels != 1 && shape.channels != 3)
            throw Error("expected images of 1 or 3 channels for ColorJitter, found " + to_string(shape));
        return shape;
    }
    void apply(Picture& picture, Picture&, const detail::SampleDraws& draws) const {
        const auto factor = [&](std::uint64_t draw, double x) {
            return draws.uniform(draw, std::max(0.0, 1 - x), 1 + x);
        };
        std::array<int, 4> order{0, 1, 2, 3};
        for (int i = 3; i > 0; --i)
            std::swap(order[static_cast<std::size_t>(i)],
                      order[static_cast<std::size_t>(draws.below(static_cast<std::uint64_t>(4 + i), i + 1))]);
        for (const int which : order) {
            if (which == 0 && brightness > 0) detail::change_brightness(picture, factor(0, brightness));
            if (which == 1 && contrast > 0) detail::change_contrast(picture, factor(1, contrast));
            if (which == 2 && saturation > 0) detail::change_saturation(picture, factor(2, saturation));
            if (which == 3 && hue > 0) detail::change_hue(picture, draws.uniform(3, -hue, hue));
        }
    }
};

}  // namespace TENON_ISA_NAMESPACE
}  // namespace augmentations

}  // namespace tenon
