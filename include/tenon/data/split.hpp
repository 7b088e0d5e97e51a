#pragma once
// IWYU pragma: private, include <tenon/data.hpp>

// Holds out images of a data set for validation.

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include <tenon/core/error.hpp>
#include <tenon/core/index.hpp>
#include <tenon/core/isa.hpp>
#include <tenon/core/number_text.hpp>
#include <tenon/core/random.hpp>
#include <tenon/data/datasets/image_dataset.hpp>
#include <tenon/data/sample_draws.hpp>

namespace tenon {
inline namespace TENON_ISA_NAMESPACE {

/// A data set in two parts without an image in common.
struct DatasetSplit {
    ImageDataset training, validation;
};

/// The images at the given positions, in the order of the positions. Positions are below the data set's size.
template <class Once = void>
ImageDataset take(const ImageDataset& dataset, std::span<const std::uint32_t> positions) {
    ImageDataset taken{.shape = dataset.shape, .images = {}, .labels = {}};
    taken.images.reserve(positions.size() * detail::index(dataset.shape.elements()));
    taken.labels.reserve(positions.size());
    for (const std::uint32_t position : positions) {
        const std::span<const std::uint8_t> image = dataset.image(position);
        taken.images.insert(taken.images.end(), image.begin(), image.end());
        taken.labels.push_back(dataset.labels[position]);
    }
    return taken;
}

/// Holds out `held_out` images, drawn from a seed, for validation; both parts keep the data set's order. The same data
/// set, number and seed give the same split everywhere. Throws tenon::Error unless at least one image is left for
/// training.
template <class Once = void>
DatasetSplit split(const ImageDataset& dataset, std::size_t held_out, std::uint64_t seed = 0) {
    if (held_out >= dataset.size())
        throw Error("expected to hold out fewer images than the data set's " + std::to_string(dataset.size()) +
                    ", found " + std::to_string(held_out));
    std::vector<std::uint32_t> order = detail::permutation(dataset.size(), seed, detail::hash_name("validation"));
    const auto middle = order.begin() + static_cast<std::ptrdiff_t>(held_out);
    std::sort(order.begin(), middle);
    std::sort(middle, order.end());
    return {.training = take(dataset, {middle, order.end()}), .validation = take(dataset, {order.begin(), middle})};
}

}  // namespace TENON_ISA_NAMESPACE

namespace detail {
inline namespace TENON_ISA_NAMESPACE {

/// Positions in a data set, in two parts, each in increasing order.
struct PositionSplit {
    std::vector<std::uint32_t> training, validation;
};

/// Holds out the same share of each class, drawn from a seed: of n images of a class the integer nearest to share x n,
/// but at least one and not all, so no class is missing in either part: of 10 and 5 images a share of 0.2 holds out 2
/// and 1. What is drawn of a class depends only on its label, its number of images and the seed. Like scikit-learn's
/// train_test_split(stratify=labels), with other draws. Throws tenon::Error unless 0 < share < 1, no label is negative,
/// and each class that occurs has at least two images; `name_of(label)` names it.
template <class NameOfClass>
PositionSplit stratified_positions(std::span<const int> labels, double share, std::uint64_t seed,
                                   NameOfClass&& name_of) {
    if (!(share > 0 && share < 1))
        throw Error("expected a share of each class above 0 and below 1 to hold out, found " +
                    detail::fixed_text(share));
    std::vector<std::vector<std::uint32_t>> members;
    for (std::size_t i = 0; i < labels.size(); ++i) {
        if (labels[i] < 0) throw Error("expected labels from 0 on, found " + std::to_string(labels[i]));
        const auto label = index(labels[i]);
        if (label >= members.size()) members.resize(label + 1);
        members[label].push_back(static_cast<std::uint32_t>(i));
    }
    PositionSplit parts;
    for (std::size_t label = 0; label < members.size(); ++label) {
        const std::size_t count = members[label].size();
        if (count == 0) continue;
        if (count < 2)
            throw Error("expected at least 2 images of each class, one to train with and one to validate on, found " +
                        std::string("1 of the class ") + std::string(name_of(static_cast<int>(label))));
        const auto held_out =
            std::clamp<std::size_t>(index(std::llround(share * static_cast<double>(count))), 1, count - 1);
        const std::vector<std::uint32_t> order = permutation(count, seed, hash_name("validation") + label);
        for (std::size_t i = 0; i < count; ++i)
            (i < held_out ? parts.validation : parts.training).push_back(members[label][order[i]]);
    }
    std::ranges::sort(parts.training);
    std::ranges::sort(parts.validation);
    return parts;
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace detail

inline namespace TENON_ISA_NAMESPACE {

/// Holds out the same share of each class of a data set, drawn from a seed: of n images of a class the integer nearest
/// to share x n, but at least one and not all. Like scikit-learn's train_test_split(stratify=labels), with other draws.
/// Throws tenon::Error unless 0 < share < 1, no label is negative, and each class that occurs has two images or more.
template <class Once = void>
DatasetSplit stratified_split(const ImageDataset& dataset, double share, std::uint64_t seed = 0) {
    const detail::PositionSplit parts =
        detail::stratified_positions(dataset.labels, share, seed, [](int label) { return std::to_string(label); });
    return {.training = take(dataset, parts.training), .validation = take(dataset, parts.validation)};
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon
