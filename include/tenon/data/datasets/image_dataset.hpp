#pragma once
// IWYU pragma: private, include <tenon/data.hpp>

// Images of one size and a label for each, in memory.

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include <tenon/core/error.hpp>
#include <tenon/core/index.hpp>
#include <tenon/core/isa.hpp>
#include <tenon/core/shape.hpp>
#include <tenon/data/picture.hpp>

namespace tenon {

/// The two parts in which data sets are published.
enum class Subset { training, test };

inline namespace TENON_ISA_NAMESPACE {

/// Labeled images as in a data set's files: 8 bits per sample, image after image, each channel by channel.
struct ImageDataset {
    Shape shape;                       ///< channels x height x width of one image
    std::vector<std::uint8_t> images;  ///< size() x shape.elements() samples
    std::vector<int> labels;           ///< the class of each image, from 0

    std::size_t size() const { return labels.size(); }

    /// The samples of image `index`, 0 <= index < size().
    std::span<const std::uint8_t> image(std::size_t index) const {
        const auto elements = detail::index(shape.elements());
        return std::span(images).subspan(index * elements, elements);
    }

    /// What a Loader needs of a data set (the concept LoadableDataset in loader.hpp).
    int label(std::size_t index) const { return labels[index]; }
    std::array<Shape, 1> shapes() const { return {shape}; }
    void read(std::size_t index, Picture& picture) const {
        const std::span<const std::uint8_t> samples = image(index);
        picture.shape = shape;
        picture.samples.assign(samples.begin(), samples.end());
    }
    /// Throws tenon::Error unless `images` has exactly the samples of one image per label.
    void check() const {
        if (images.size() != size() * detail::index(shape.elements()))
            throw Error("a data set of " + std::to_string(size()) + " labels and images of " + to_string(shape) +
                        " needs " + std::to_string(size() * detail::index(shape.elements())) + " samples, found " +
                        std::to_string(images.size()));
    }
};

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon
