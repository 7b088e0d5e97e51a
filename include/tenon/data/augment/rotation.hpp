#pragma once
// IWYU pragma: private, include <tenon/data.hpp>

// Rotation: turns an image at random; and how an image is turned, sheared or shifted.

#include <algorithm>
#include <cmath>
#include <numbers>
#include <string>
#include <string_view>
#include <utility>

#include <tenon/core/error.hpp>
#include <tenon/core/isa.hpp>
#include <tenon/core/number_text.hpp>
#include <tenon/data/augment/pad_crop.hpp>
#include <tenon/data/picture.hpp>

namespace tenon {

namespace detail {
inline namespace TENON_ISA_NAMESPACE {

/// Where an image is read for a pixel at (x, y), both counted from the image's center:
/// at (xx * x + xy * y + x0, yx * x + yy * y + y0).
struct Warp {
    double xx = 1, xy = 0, x0 = 0, yx = 0, yy = 1, y0 = 0;

    /// Turns an image counterclockwise, as torchvision does.
    static Warp rotation(double degrees) {
        const double angle = degrees * std::numbers::pi / 180, c = std::cos(angle), s = std::sin(angle);
        return {.xx = c, .xy = -s, .yx = s, .yy = c};
    }
};

/// The row or column that is read at `i`, which may be outside [0, size): reflected, or -1 for zeros.
inline int reflected(int i, int size, Border border) {
    if (i >= 0 && i < size) return i;
    if (border == Border::zero) return -1;
    if (size == 1) return 0;
    const int period = 2 * (size - 1), at = ((i % period) + period) % period;
    return std::min(at, period - at);
}

/// Reads each pixel where `warp` says, between the pixels linearly.
inline void apply_warp(Picture& picture, Picture& spare, const Warp& warp, Border border) {
    const auto [channels, height, width] = picture.shape;
    spare.reshape(picture.shape);
    const double center_x = (width - 1) / 2.0, center_y = (height - 1) / 2.0;
    for (int y = 0; y < height; ++y)
        for (int x = 0; x < width; ++x) {
            const double from_x = warp.xx * (x - center_x) + warp.xy * (y - center_y) + warp.x0 + center_x;
            const double from_y = warp.yx * (x - center_x) + warp.yy * (y - center_y) + warp.y0 + center_y;
            const double left = std::floor(from_x), top = std::floor(from_y);
            for (int c = 0; c < channels; ++c) {
                double sum = 0;
                for (int dy = 0; dy < 2; ++dy)
                    for (int dx = 0; dx < 2; ++dx) {
                        const int column = reflected(static_cast<int>(left) + dx, width, border);
                        const int row = reflected(static_cast<int>(top) + dy, height, border);
                        if (column < 0 || row < 0) continue;
                        const double share = (dx == 1 ? from_x - left : 1 - (from_x - left)) *
                                             (dy == 1 ? from_y - top : 1 - (from_y - top));
                        sum += share * static_cast<double>(
                                           std::as_const(picture).row(c, row)[static_cast<std::size_t>(column)]);
                    }
                spare.row(c, y)[static_cast<std::size_t>(x)] = static_cast<float>(sum);
            }
        }
    std::swap(picture, spare);
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace detail

namespace augmentations {
inline namespace TENON_ISA_NAMESPACE {

/// Turns an image by at most `degrees` in either direction, drawn anew in each epoch, with what `border` says beyond
/// the image. With Border::zero it equals torchvision's RandomRotation(degrees, InterpolationMode.BILINEAR) of images
/// in floats.
struct Rotation {
    double degrees = 15;  ///< 0 to 180
    Border border = Border::zero;

    static constexpr std::string_view purpose = "rotation";

    /// Throws tenon::Error unless the angle is from 0 to 180 degrees.
    Shape result(const Shape& shape) const {
        if (!(degrees >= 0 && degrees <= 180))
            throw Error("expected Rotation by 0 to 180 degrees, found " + detail::fixed_text(degrees));
        return shape;
    }
    void apply(Picture& picture, Picture& spare, const detail::SampleDraws& draws) const {
        if (degrees > 0)
            detail::apply_warp(picture, spare, detail::Warp::rotation(draws.uniform(0, -degrees, degrees)), border);
    }
};

}  // namespace TENON_ISA_NAMESPACE
}  // namespace augmentations

}  // namespace tenon
