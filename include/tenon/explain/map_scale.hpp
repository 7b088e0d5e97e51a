#pragma once
// IWYU pragma: private, include <tenon/report.hpp>

// Maps in the size of an image.

#include <algorithm>
#include <span>
#include <vector>

#include <tenon/core/index.hpp>
#include <tenon/core/isa.hpp>

namespace tenon::detail {
inline namespace TENON_ISA_NAMESPACE {

/// A position between two of a map's rows or columns.
struct BetweenPixels {
    int low, high;
    double share;  ///< of `high`

    /// At `pixel`, counted from the center of the first of `size` pixels; beyond the outer centers those of the edge.
    BetweenPixels(double pixel, int size) {
        const double inside = std::clamp(pixel, 0.0, static_cast<double>(size - 1));
        low = static_cast<int>(inside);
        high = std::min(low + 1, size - 1);
        share = inside - low;
    }
};

/// The value of a map of `width` columns between its pixels, linearly.
inline double between_pixels(std::span<const float> map, int width, const BetweenPixels& row,
                             const BetweenPixels& column) {
    const auto value = [&](int r, int c) { return static_cast<double>(map[index(r * width + c)]); };
    const auto along = [&](int r) {
        return value(r, column.low) * (1 - column.share) + value(r, column.high) * column.share;
    };
    return along(row.low) * (1 - row.share) + along(row.high) * row.share;
}

/// The value of a map at a point, 0 to 1 in both directions, between the centers of its pixels linearly; beyond the
/// outer centers those of the edge, as in PyTorch's interpolate without align_corners.
inline double map_at(std::span<const float> map, int height, int width, double y, double x) {
    return between_pixels(map, width, {y * height - 0.5, height}, {x * width - 0.5, width});
}

/// A map in another size, whose corner pixels are those of the map, as in PyTorch's UpsamplingBilinear2d.
inline std::vector<float> map_by_corners(std::span<const float> map, int height, int width, int new_height,
                                         int new_width) {
    const auto at = [](int i, int size, int new_size) {
        return BetweenPixels{new_size > 1 ? static_cast<double>(i) * (size - 1) / (new_size - 1) : 0.0, size};
    };
    std::vector<float> result;
    result.reserve(index(new_height) * index(new_width));
    for (int y = 0; y < new_height; ++y)
        for (int x = 0; x < new_width; ++x)
            result.push_back(
                static_cast<float>(between_pixels(map, width, at(y, height, new_height), at(x, width, new_width))));
    return result;
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::detail
