#pragma once
// IWYU pragma: private, include <tenon/report.hpp>

// A picture of a map: the photo beside the photo under the map's colors, and what the colors mean.

#include <algorithm>
#include <cmath>
#include <span>
#include <string>
#include <vector>

#include <tenon/core/index.hpp>
#include <tenon/explain/color_map.hpp>
#include <tenon/explain/map_scale.hpp>
#include <tenon/explain/request.hpp>
#include <tenon/image/image.hpp>

namespace tenon {

namespace detail {
inline namespace TENON_ISA_NAMESPACE {

/// Draws rectangles and digits into an image in RGB.
class Canvas {
public:
    Canvas(int height, int width) : image_(height, width, 3) { std::ranges::fill(image_.pixels(), 255); }

    void set(int y, int x, const Rgb& color) {
        std::copy(color.begin(), color.end(), image_.row(y).begin() + static_cast<std::ptrdiff_t>(x) * 3);
    }
    /// A digit 0 or 1, of 3 x 5 dots of two pixels each.
    void digit(int y, int x, int which) {
        constexpr const char* dots[] = {"####.##.##.####", ".#.##..#..#.###"};
        for (int row = 0; row < 10; ++row)
            for (int column = 0; column < 6; ++column)
                if (dots[which][row / 2 * 3 + column / 2] == '#') set(y + row, x + column, {51, 51, 51});
    }
    Image&& image() && { return std::move(image_); }

private:
    Image image_;
};

}  // namespace TENON_ISA_NAMESPACE
}  // namespace detail

namespace explanations {
inline namespace TENON_ISA_NAMESPACE {

/// A picture of a map: on the left the photo that the network saw, enlarged to 224 pixels or more where it is smaller;
/// beside it the photo in gray under the map's colors, half and half; on the right the scale of the colors, from 0 to
/// the map's largest value (1). The photo is in RGB or gray, as large as the network's input. Throws tenon::Error for a
/// photo or a map without pixels, and for a map that is infinite or NaN somewhere.
inline Image overlay(const Image& photo, const ClassMap& map) {
    if (photo.empty()) throw Error("expected a photo to draw a map on, found one without pixels");
    detail::check_map(map);
    constexpr int least = 224, gap = 8, bar = 16, label = 14;
    const int shorter = std::min(photo.height(), photo.width()), zoom = std::max(1, (least + shorter - 1) / shorter);
    const int height = photo.height() * zoom, width = photo.width() * zoom;
    const double largest = std::max(0.0, double{std::ranges::max(map.values)});
    const std::vector<detail::Rgb> colors = detail::map_colors();
    const Image rgb = to_rgb(photo), gray = to_gray(photo);
    detail::Canvas canvas(height, 2 * width + 2 * gap + bar + label);
    for (int y = 0; y < height; ++y)
        for (int x = 0; x < width; ++x) {
            const auto pixel = rgb.row(y / zoom).subspan(detail::index(x / zoom) * 3, 3);
            canvas.set(y, x, {pixel[0], pixel[1], pixel[2]});
            const double value =
                detail::map_at(map.values, map.height, map.width, (y + 0.5) / height, (x + 0.5) / width);
            detail::Rgb color = colors[detail::index(largest > 0 ? std::lround(255 * value / largest) : 0)];
            const int luma = gray.row(y / zoom)[detail::index(x / zoom)];
            for (std::uint8_t& sample : color) sample = static_cast<std::uint8_t>((sample + luma + 1) / 2);
            canvas.set(y, width + gap + x, color);
        }
    const int left = 2 * width + 2 * gap;
    const int last = std::max(1, height - 1);  // at least 223, which static analysis doesn't see
    for (int y = 0; y < height; ++y)
        for (int x = 0; x < bar; ++x) canvas.set(y, left + x, colors[detail::index(255 - 255 * y / last)]);
    canvas.digit(0, left + bar + 4, 1);
    canvas.digit(height - 10, left + bar + 4, 0);
    return std::move(canvas).image();
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace explanations

}  // namespace tenon
