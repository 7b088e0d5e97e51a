#pragma once
// IWYU pragma: private, include <tenon/report.hpp>

// The colors of maps: from dark violet over blue and green to light yellow, in steps that look equally large.

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numbers>
#include <vector>

#include <tenon/core/isa.hpp>

namespace tenon::detail {
inline namespace TENON_ISA_NAMESPACE {

/// A color of OKLab (Ottosson 2020), in which equal distances look equally large: lightness 0 to 1, green to red, blue
/// to yellow.
struct OklabColor {
    double lightness = 0, a = 0, b = 0;

    double distance(const OklabColor& other) const {
        return std::hypot(lightness - other.lightness, a - other.a, b - other.b);
    }

    /// Linear red, green and blue; beyond 0 to 1 for a color that no screen shows.
    std::array<double, 3> linear_rgb() const {
        const auto cube = [](double x) { return x * x * x; };
        const double l = cube(lightness + 0.3963377774 * a + 0.2158037573 * b),
                     m = cube(lightness - 0.1055613458 * a - 0.0638541728 * b),
                     s = cube(lightness - 0.0894841775 * a - 1.2914855480 * b);
        return {4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s,
                -1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s,
                -0.0041960863 * l - 0.7034186147 * m + 1.7076147010 * s};
    }

    bool is_shown() const {
        for (const double sample : linear_rgb())
            if (sample < 0 || sample > 1) return false;
        return true;
    }
};

using Rgb = std::array<std::uint8_t, 3>;

/// The samples of a color in sRGB.
inline Rgb srgb_of(const OklabColor& color) {
    Rgb result{};
    const std::array<double, 3> linear = color.linear_rgb();
    for (std::size_t i = 0; i < 3; ++i) {
        const double sample = std::clamp(linear[i], 0.0, 1.0);
        const double encoded = sample <= 0.0031308 ? 12.92 * sample : 1.055 * std::pow(sample, 1 / 2.4) - 0.055;
        result[i] = static_cast<std::uint8_t>(std::lround(255 * encoded));
    }
    return result;
}

/// A point on the way from the darkest to the lightest color, 0 to 1: lightness rises evenly, so that maps can be read
/// in black and white and by the color-blind; hues go from violet to yellow; as much color as a screen shows, up to
/// 0.15.
inline OklabColor color_on_path(double t) {
    const double lightness = 0.25 + 0.68 * t, hue = (300 - 200 * t) * std::numbers::pi / 180;
    double low = 0, high = 0.15;
    const auto with = [&](double chroma) {
        return OklabColor{lightness, chroma * std::cos(hue), chroma * std::sin(hue)};
    };
    for (int i = 0; i < 40; ++i) (with((low + high) / 2).is_shown() ? low : high) = (low + high) / 2;
    return with(low);
}

/// 256 colors at equal distances along the path.
inline std::vector<Rgb> map_colors() {
    constexpr int points = 2048, colors = 256;
    std::vector<double> length{0};  // of the path up to each point
    for (int i = 1; i <= points; ++i)
        length.push_back(length.back() +
                         color_on_path(double(i) / points).distance(color_on_path(double(i - 1) / points)));
    std::vector<Rgb> result;
    std::size_t at = 1;
    for (int i = 0; i < colors; ++i) {
        const double wanted = length.back() * i / (colors - 1);
        while (at < points && length[at] < wanted) ++at;
        const double share = (wanted - length[at - 1]) / (length[at] - length[at - 1]);
        result.push_back(srgb_of(color_on_path((static_cast<double>(at - 1) + share) / points)));
    }
    return result;
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::detail
