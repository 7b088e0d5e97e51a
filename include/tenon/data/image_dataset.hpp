// Images of one size and a label for each, in memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include <tenon/core/isa.hpp>
#include <tenon/core/shape.hpp>

namespace tenon {

/// The part of a data set.
enum class Subset { training, test };

inline namespace TENON_ISA_NAMESPACE {

/// Labelled images as they stand in a data set's files: 8 bits a sample, image after image, each channel by channel.
struct ImageDataset {
    Shape shape;                       ///< channels x height x width of one image
    std::vector<std::uint8_t> images;  ///< size() x shape.elements() samples
    std::vector<int> labels;           ///< the class of each image, from 0

    std::size_t size() const { return labels.size(); }

    /// The samples of image `index`, 0 <= index < size().
    std::span<const std::uint8_t> image(std::size_t index) const {
        const auto elements = static_cast<std::size_t>(shape.elements());
        return std::span(images).subspan(index * elements, elements);
    }
};

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon
