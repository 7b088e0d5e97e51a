// Holding out images of a data set for validation.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include <tenon/core/error.hpp>
#include <tenon/core/isa.hpp>
#include <tenon/core/random.hpp>
#include <tenon/data/image_dataset.hpp>
#include <tenon/data/sample_draws.hpp>

namespace tenon {
inline namespace TENON_ISA_NAMESPACE {

/// A data set in two parts without an image in common.
struct DatasetSplit {
    ImageDataset training, validation;
};

/// The images at the given positions, in their order.
inline ImageDataset take(const ImageDataset& dataset, std::span<const std::uint32_t> positions) {
    ImageDataset taken{.shape = dataset.shape, .images = {}, .labels = {}};
    taken.images.reserve(positions.size() * static_cast<std::size_t>(dataset.shape.elements()));
    taken.labels.reserve(positions.size());
    for (const std::uint32_t position : positions) {
        const std::span<const std::uint8_t> image = dataset.image(position);
        taken.images.insert(taken.images.end(), image.begin(), image.end());
        taken.labels.push_back(dataset.labels[position]);
    }
    return taken;
}

/// Holds out `held_out` images, drawn from a seed, for validation; both parts keep the data set's order. The same data
/// set, number and seed give the same split everywhere. Error unless at least one image is left for training.
inline DatasetSplit split(const ImageDataset& dataset, std::size_t held_out, std::uint64_t seed = 0) {
    if (held_out >= dataset.size())
        throw Error("expected to hold out fewer images than the data set's " + std::to_string(dataset.size()) +
                    ", found " + std::to_string(held_out));
    std::vector<std::uint32_t> order = permutation(dataset.size(), seed, hash_name("validation"));
    const auto middle = order.begin() + static_cast<std::ptrdiff_t>(held_out);
    std::sort(order.begin(), middle);
    std::sort(middle, order.end());
    return {.training = take(dataset, {middle, order.end()}), .validation = take(dataset, {order.begin(), middle})};
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon
