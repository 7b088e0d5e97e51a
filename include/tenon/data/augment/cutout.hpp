#pragma once
// IWYU pragma: private, include <tenon/data.hpp>

// Cutout: a square of zeros at a random place.

#include <algorithm>
#include <string>
#include <string_view>

#include <tenon/core/error.hpp>
#include <tenon/core/isa.hpp>
#include <tenon/data/picture.hpp>

namespace tenon {
inline namespace TENON_ISA_NAMESPACE {

/// Sets a square of `size` x `size` pixels to zero in all channels. Its center is anywhere in the image, so part of the
/// square may be outside (DeVries and Taylor 2017, arXiv 1708.04552). Put it after Normalize, where zero is the mean.
/// `result` throws tenon::Error when the size is not positive.
struct Cutout {
    int size = 8;

    static constexpr std::string_view purpose = "cutout";

    Shape result(const Shape& shape) const {
        if (size < 1) throw Error("expected Cutout with a size of at least 1 pixel, found " + std::to_string(size));
        return shape;
    }
    void apply(Picture& picture, Picture&, const detail::SampleDraws& draws) const {
        const auto [channels, height, width] = picture.shape;
        const int top = draws.below(0, height) - size / 2, left = draws.below(1, width) - size / 2;
        const int begin = std::max(0, left), end = std::min(width, left + size);
        for (int c = 0; c < channels; ++c)
            for (int y = std::max(0, top); y < std::min(height, top + size); ++y)
                std::fill(picture.row(c, y).begin() + begin, picture.row(c, y).begin() + end, 0.0f);
    }
};

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon
