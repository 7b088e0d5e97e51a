#pragma once
// IWYU pragma: private, include <tenon/data.hpp>

// Views: several versions of an image that a network is tested with (test-time augmentation).

#include <algorithm>
#include <cstddef>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <tenon/core/error.hpp>
#include <tenon/data/augment/flip.hpp>
#include <tenon/data/augment/rotation.hpp>
#include <tenon/data/picture.hpp>

namespace tenon::augmentations {
inline namespace TENON_ISA_NAMESPACE {

/// The versions of an image that logits are averaged over: as it is, its mirror image, and both shifted by `shift`
/// pixels up, down, left and right, with the image reflected beyond its border.
struct Views {
    bool mirror = true;
    int shift = 0;  ///< 0: no shifted versions

    /// The number of versions: 1, 2, 5 or 10.
    int count() const { return (mirror ? 2 : 1) * (shift > 0 ? 5 : 1); }

    /// Version `number` of some images, one after another (channel, row, column), 0 to count() - 1; 0 is the images as
    /// they are. Throws tenon::Error when the shift is not below the images' height and width, when there is no such
    /// version, and when `images` is not a whole number of images.
    std::vector<float> view(std::span<const float> images, const Shape& shape, int number) const {
        const auto elements = static_cast<std::size_t>(shape.elements());
        const int moved = shift > 0 ? number % 5 : 0, limit = std::min(shape.height, shape.width) - 1;
        if (shift < 0 || shift > std::max(limit, 0) || number < 0 || number >= count())
            throw Error("expected views of " + to_string(shape) + " shifted by 0 to " + std::to_string(limit) +
                        " pixels, found " + std::to_string(shift));
        if (images.size() % elements != 0)
            throw Error("expected images of " + std::to_string(elements) + " scalars, found " +
                        std::to_string(images.size()) + " scalars");
        std::vector<float> result;
        result.reserve(images.size());
        Picture picture, spare;
        for (std::size_t first = 0; first < images.size(); first += elements) {
            picture.shape = shape;
            const std::span<const float> image = images.subspan(first, elements);
            picture.samples.assign(image.begin(), image.end());
            if (number >= (shift > 0 ? 5 : 1)) detail::mirror(picture);
            if (moved > 0) {
                const double by = moved % 2 == 0 ? -shift : shift;
                const detail::Warp warp = moved <= 2 ? detail::Warp{.y0 = by} : detail::Warp{.x0 = by};
                detail::apply_warp(picture, spare, warp, Border::reflect);
            }
            result.insert(result.end(), picture.samples.begin(), picture.samples.end());
        }
        return result;
    }
};

/// The mean of the logits of all versions of some images (channel, row, column): `logits(images)` runs a network, a
/// Model or a Trainer's predict. It takes count() times as long as without and is as a rule a little more accurate.
/// Throws tenon::Error when Views::view or `logits` does.
template <class Logits>
std::vector<float> mean_logits(const Views& views, std::span<const float> images, const Shape& shape, Logits&& logits) {
    std::vector<double> sum;
    for (int i = 0; i < views.count(); ++i) {
        const std::vector<float> view = views.view(images, shape, i);
        const std::span<const float> found = logits(std::span<const float>(view));
        sum.resize(found.size());
        for (std::size_t j = 0; j < found.size(); ++j) sum[j] += static_cast<double>(found[j]);
    }
    std::vector<float> mean;
    mean.reserve(sum.size());
    for (const double each : sum) mean.push_back(static_cast<float>(each / views.count()));
    return mean;
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::augmentations
