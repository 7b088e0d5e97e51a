#pragma once
// IWYU pragma: private, include <tenon/data.hpp>

// CutMix: rectangles of images and labels of a batch exchanged in pairs.

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>

#include <tenon/core/shape.hpp>
#include <tenon/data/augment/mixup.hpp>
#include <tenon/data/sample_draws.hpp>

namespace tenon::augmentations {
inline namespace TENON_ISA_NAMESPACE {

/// Images i and n-1-i of n exchange a rectangle, and their targets are mixtures of the two labels by area (Yun et al.
/// 2019, arXiv 1905.04899). A share s of the area is drawn once per batch from Beta(alpha, alpha); the rectangle has
/// the image's proportions, 1 - s of its area, and its center anywhere, so that a part of it may be outside: the
/// targets are by what is inside.
struct CutMix {
    double alpha = 1;  ///< 0: off; at most 1, the paper's
    int classes = 0;   ///< of the data set

    bool is_on() const { return alpha != 0; }

    /// Throws tenon::Error unless alpha is 0, or in (0, 1] and each label is one of the classes.
    void check(std::span<const int> labels) const { detail::check_mixing("CutMix", alpha, classes, labels); }

    /// The first row and column of a rectangle, and the ones after it.
    struct Rectangle {
        int top = 0, left = 0, bottom = 0, right = 0;
    };

    /// The rectangle of batch `index` of an epoch.
    Rectangle rectangle(const Shape& shape, std::uint64_t seed, long epoch, long index) const {
        const double side = std::sqrt(1 - detail::beta_share("cutmix", alpha, seed, epoch, index));
        const detail::SampleDraws draws = detail::SampleDraws(seed, epoch, index).for_purpose("cutmix");
        const int height = static_cast<int>(side * shape.height), width = static_cast<int>(side * shape.width);
        const int top = draws.below(0, shape.height) - height / 2, left = draws.below(1, shape.width) - width / 2;
        return {.top = std::max(0, top),
                .left = std::max(0, left),
                .bottom = std::min(shape.height, top + height),
                .right = std::min(shape.width, left + width)};
    }

    /// Exchanges a rectangle of the images and writes their targets, labels.size() x classes.
    void mix(std::span<float> images, const Shape& shape, std::span<const int> labels, std::span<float> targets,
             const Rectangle& rectangle) const {
        const std::size_t count = labels.size(), elements = static_cast<std::size_t>(shape.elements());
        for (std::size_t i = 0; i < count / 2; ++i)
            for (int c = 0; c < shape.channels; ++c)
                for (int y = rectangle.top; y < rectangle.bottom; ++y) {
                    const auto row = static_cast<std::size_t>((c * shape.height + y) * shape.width);
                    float* const one = images.data() + i * elements + row;
                    float* const other = images.data() + (count - 1 - i) * elements + row;
                    std::swap_ranges(one + rectangle.left, one + rectangle.right, other + rectangle.left);
                }
        const int area = (rectangle.bottom - rectangle.top) * (rectangle.right - rectangle.left);
        detail::mix_targets(labels, targets, classes, 1 - area / static_cast<double>(shape.pixels()));
    }
};

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::augmentations
