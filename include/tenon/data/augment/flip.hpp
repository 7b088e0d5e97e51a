#pragma once
// IWYU pragma: private, include <tenon/data.hpp>

// Flips from left to right: at random, or alternating from epoch to epoch.

#include <algorithm>
#include <string>
#include <string_view>

#include <tenon/core/error.hpp>
#include <tenon/core/isa.hpp>
#include <tenon/core/number_text.hpp>
#include <tenon/data/picture.hpp>

namespace tenon {

namespace detail {
inline namespace TENON_ISA_NAMESPACE {

/// Mirrors every row of a picture.
inline void mirror(Picture& picture) {
    for (int c = 0; c < picture.shape.channels; ++c)
        for (int y = 0; y < picture.shape.height; ++y) std::ranges::reverse(picture.row(c, y));
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace detail

inline namespace TENON_ISA_NAMESPACE {

/// Flips an image from left to right with a probability, drawn anew in each epoch. Equals torchvision's
/// RandomHorizontalFlip(probability). `result` throws tenon::Error when that is no probability.
struct RandomFlip {
    double probability = 0.5;

    static constexpr std::string_view purpose = "flip";

    Shape result(const Shape& shape) const {
        if (!(probability >= 0 && probability <= 1))
            throw Error("expected RandomFlip with a probability from 0 to 1, found " + detail::fixed_text(probability));
        return shape;
    }
    void apply(Picture& picture, Picture&, const detail::SampleDraws& draws) const {
        if (draws.uniform(0, 0, 1) < probability) detail::mirror(picture);
    }
};

/// Flips half of the images in even epochs and the other half in odd ones, so that each image is seen in both
/// orientations equally often (Jordan 2024, arXiv 2404.00498). More accurate than RandomFlip at the same cost.
struct AlternatingFlip {
    static constexpr std::string_view purpose = "flip";

    Shape result(const Shape& shape) const { return shape; }
    void apply(Picture& picture, Picture&, const detail::SampleDraws& draws) const {
        const bool first = draws.for_all_epochs().uniform(0, 0, 1) < 0.5;
        if (first != (draws.epoch() % 2 != 0)) detail::mirror(picture);
    }
};

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon

namespace tenon::programs {

/// Mirrors every row of a picture.
using detail::mirror;

}  // namespace tenon::programs
