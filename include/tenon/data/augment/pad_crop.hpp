#pragma once
// IWYU pragma: private, include <tenon/data.hpp>

// PadCrop: shifts an image by a few pixels at random.

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>

#include <tenon/core/error.hpp>
#include <tenon/core/index.hpp>
#include <tenon/core/isa.hpp>
#include <tenon/data/picture.hpp>

namespace tenon {

/// What is beyond the border of an image.
enum class Border {
    zero,    ///< zeros: black before Normalize, the mean after it
    reflect  ///< the image mirrored at its outermost pixels, which are not repeated (torch's ReflectionPad2d)
};

inline namespace TENON_ISA_NAMESPACE {

/// Pads all sides by `pixels` and cuts the old size out at a random position: a shift by -pixels to pixels rows and
/// columns. Equals torchvision's RandomCrop(size, padding=pixels, padding_mode=...). `result` throws tenon::Error when
/// `pixels` is negative or, where the border reflects, not below the image's height and width.
struct PadCrop {
    int pixels = 4;
    Border border = Border::reflect;

    static constexpr std::string_view purpose = "pad_crop";

    Shape result(const Shape& shape) const {
        const int limit = border == Border::reflect ? std::min(shape.height, shape.width) - 1 : 32767;
        if (pixels < 0 || pixels > limit)
            throw Error("expected PadCrop to pad an image of " + to_string(shape) + " by 0 to " +
                        std::to_string(limit) + " pixels, found " + std::to_string(pixels));
        return shape;
    }

    void apply(Picture& picture, Picture& spare, const detail::SampleDraws& draws) const {
        const int down = draws.below(0, 2 * pixels + 1) - pixels, right = draws.below(1, 2 * pixels + 1) - pixels;
        const auto [channels, height, width] = picture.shape;
        spare.reshape(picture.shape);
        for (int c = 0; c < channels; ++c)
            for (int y = 0; y < height; ++y) {
                const auto target = spare.row(c, y);
                const int from = source_of(y + down, height);
                if (from < 0) {
                    std::ranges::fill(target, 0.0f);
                    continue;
                }
                const auto source = std::as_const(picture).row(c, from);
                for (int x = 0; x < width; ++x) {
                    const int column = source_of(x + right, width);
                    target[detail::index(x)] = column < 0 ? 0.0f : source[detail::index(column)];
                }
            }
        std::swap(picture, spare);
    }

private:
    /// The row or column that is read at position `i`, which may be outside [0, size); -1 for zeros. Reflected, of size
    /// 4: -1 -> 1, 4 -> 2.
    int source_of(int i, int size) const {
        if (i >= 0 && i < size) return i;
        if (border == Border::zero) return -1;
        return i < 0 ? -i : 2 * (size - 1) - i;
    }
};

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon
