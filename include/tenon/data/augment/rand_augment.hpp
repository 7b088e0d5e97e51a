#pragma once
// IWYU pragma: private, include <tenon/data.hpp>

// RandAugment: a few of fourteen changes, drawn for each image, all equally strong.

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>

#include <tenon/data/augment/color_jitter.hpp>
#include <tenon/data/augment/rotation.hpp>

namespace tenon {

namespace detail {
inline namespace TENON_ISA_NAMESPACE {

/// Stretches each channel so that its samples reach from 0 to 255; one that is the same everywhere stays.
inline void stretch_contrast(Picture& picture) {
    const auto pixels = static_cast<std::size_t>(picture.shape.pixels());
    for (std::size_t first = 0; first < picture.samples.size(); first += pixels) {
        const std::span<float> channel = std::span(picture.samples).subspan(first, pixels);
        const auto [low, high] = std::ranges::minmax(channel);
        if (!(high > low)) continue;
        for (float& sample : channel) sample = (sample - low) * (255 / (high - low));
    }
}

/// Spreads the samples of each channel, rounded to 8 bits, so that all values are about equally frequent; as PIL.
inline void equalize(Picture& picture) {
    const auto pixels = static_cast<std::size_t>(picture.shape.pixels());
    const auto level = [](float sample) { return static_cast<std::size_t>(std::clamp(std::lround(sample), 0L, 255L)); };
    for (std::size_t first = 0; first < picture.samples.size(); first += pixels) {
        const std::span<float> channel = std::span(picture.samples).subspan(first, pixels);
        std::array<long, 256> count{};
        for (const float sample : channel) ++count[level(sample)];
        long last = 0;
        for (const long each : count) last = each > 0 ? each : last;
        const long step = (static_cast<long>(pixels) - last) / 255;
        if (step == 0) continue;
        std::array<float, 256> table{};
        long sum = step / 2;
        for (std::size_t i = 0; i < 256; ++i) {
            table[i] = static_cast<float>(std::min(sum / step, 255L));
            sum += count[i];
        }
        for (float& sample : channel) sample = table[level(sample)];
    }
}

/// Towards the image smoothed over 3 x 3 pixels (1 of 13 each, 5 in the middle), or away from it; the border stays.
inline void change_sharpness(Picture& picture, Picture& spare, double factor) {
    const auto [channels, height, width] = picture.shape;
    spare = picture;
    for (int c = 0; c < channels; ++c)
        for (int y = 1; y + 1 < height; ++y)
            for (int x = 1; x + 1 < width; ++x) {
                double sum = 0;
                for (int dy = -1; dy <= 1; ++dy)
                    for (int dx = -1; dx <= 1; ++dx)
                        sum += (dy == 0 && dx == 0 ? 5 : 1) *
                               static_cast<double>(spare.row(c, y + dy)[static_cast<std::size_t>(x + dx)]);
                float& sample = picture.row(c, y)[static_cast<std::size_t>(x)];
                sample = blended(sample, sum / 13, factor);
            }
    for (float& sample : picture.samples) sample = std::clamp(sample, 0.0f, 255.0f);
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace detail

namespace augmentations {
inline namespace TENON_ISA_NAMESPACE {

/// Applies `operations` of fourteen changes to each image, drawn anew in each epoch: none, shears, shifts, a rotation,
/// brightness, saturation, contrast, sharpness, fewer bits, inverted lights, stretched contrast, an equalized histogram
/// (Cubuk et al. 2020, arXiv 1909.13719). Ranges are those of torchvision's RandAugment(num_ops, magnitude) with 31
/// steps; pixels are read between others linearly.
struct RandAugment {
    int operations = 2;  ///< per image, 0 to 14
    int magnitude = 9;   ///< how strong they are, 0 to 30
    Border border = Border::zero;

    static constexpr std::string_view purpose = "rand_augment";

    /// Throws tenon::Error for an option out of range, and for images in neither gray nor red, green and blue.
    Shape result(const Shape& shape) const {
        if (operations < 0 || operations > 14)
            throw Error("expected RandAugment with 0 to 14 operations, found " + std::to_string(operations));
        if (magnitude < 0 || magnitude > 30)
            throw Error("expected RandAugment with a magnitude from 0 to 30, found " + std::to_string(magnitude));
        if (shape.channels != 1 && shape.channels != 3)
            throw Error("expected images of 1 or 3 channels for RandAugment, found " + to_string(shape));
        return shape;
    }
    void apply(Picture& picture, Picture& spare, const detail::SampleDraws& draws) const {
        for (int i = 0; i < operations; ++i) {
            const auto draw = static_cast<std::uint64_t>(2 * i);
            apply_one(draws.below(draw, 14), draws.below(draw + 1, 2) == 0 ? 1 : -1, picture, spare);
        }
    }

    /// One of the changes, 0 to 13 in the order above, in a direction, 1 or -1.
    void apply_one(int which, int sign, Picture& picture, Picture& spare) const {
        const double strength = magnitude / 30.0, height = picture.shape.height, width = picture.shape.width;
        const double shear = sign * 0.3 * strength, shift = sign * 150.0 / 331 * strength,
                     factor = 1 + sign * 0.9 * strength;
        const auto warp = [&](const detail::Warp& how) { detail::apply_warp(picture, spare, how, border); };
        switch (which) {
            case 1:  // from the image's upper edge, as torchvision does
                return warp({.xy = shear, .x0 = shear * height / 2});
            case 2:
                return warp({.yx = shear, .y0 = shear * width / 2});
            case 3:
                return warp({.x0 = std::trunc(shift * width)});
            case 4:
                return warp({.y0 = std::trunc(shift * height)});
            case 5:
                return warp(detail::Warp::rotation(sign * 30 * strength));
            case 6:
                return detail::change_brightness(picture, factor);
            case 7:
                return detail::change_saturation(picture, factor);
            case 8:
                return detail::change_contrast(picture, factor);
            case 9:
                return detail::change_sharpness(picture, spare, factor);
            case 10: {  // 8 to 4 bits
                const auto step = static_cast<float>(1 << std::lround(4 * strength));
                for (float& sample : picture.samples) sample = std::floor(sample / step) * step;
                return;
            }
            case 11:
                for (float& sample : picture.samples)
                    if (sample >= 255 * (1 - static_cast<float>(strength))) sample = 255 - sample;
                return;
            case 12:
                return detail::stretch_contrast(picture);
            case 13:
                return detail::equalize(picture);
            default:
                return;
        }
    }
};

}  // namespace TENON_ISA_NAMESPACE
}  // namespace augmentations

}  // namespace tenon
