#pragma once
// IWYU pragma: private, include <tenon/data.hpp>

// The order of images in an epoch that has equally many of each class.

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <tenon/core/error.hpp>
#include <tenon/core/isa.hpp>
#include <tenon/data/sample_draws.hpp>

namespace tenon::detail {
inline namespace TENON_ISA_NAMESPACE {

/// The images of each class that has some. Throws tenon::Error for a negative label.
template <class Once = void>
std::vector<std::vector<std::uint32_t>> members_of_classes(std::span<const int> labels) {
    std::map<int, std::vector<std::uint32_t>> by_label;  // a label may be any number
    for (std::size_t i = 0; i < labels.size(); ++i) {
        if (labels[i] < 0) throw Error("expected labels from 0 on to balance, found " + std::to_string(labels[i]));
        by_label[labels[i]].push_back(static_cast<std::uint32_t>(i));
    }
    std::vector<std::vector<std::uint32_t>> members;
    members.reserve(by_label.size());
    for (auto& [label, list] : by_label) members.push_back(std::move(list));
    return members;
}

/// `count` images, equally many of each class, or one more: an image of a class again only when all others of it have
/// been. The k-th time in an epoch (from 0) image i is i + k * count, so that it is augmented anew.
template <class Once = void>
std::vector<std::uint64_t> balanced_order(const std::vector<std::vector<std::uint32_t>>& members, std::size_t count,
                                          std::uint64_t seed, std::uint64_t stream) {
    std::vector<std::uint64_t> drawn;
    drawn.reserve(count);
    // Which classes have one more changes from epoch to epoch.
    const std::vector<std::uint32_t> classes = permutation(members.size(), seed, mix(stream));
    for (std::size_t c = 0; c < members.size(); ++c) {
        const std::vector<std::uint32_t>& list = members[classes[c]];
        const std::size_t wanted = count / members.size() + (c < count % members.size() ? 1 : 0);
        std::vector<std::uint32_t> order;
        for (std::size_t i = 0; i < wanted; ++i) {
            const std::size_t round = i / list.size();
            if (i % list.size() == 0)
                order = permutation(list.size(), seed, mix(stream + (classes[c] + 1) * golden_step) + round);
            drawn.push_back(list[order[i % list.size()]] + round * count);
        }
    }
    std::vector<std::uint64_t> shuffled;
    shuffled.reserve(count);
    for (const std::uint32_t i : permutation(count, seed, stream)) shuffled.push_back(drawn[i]);
    return shuffled;
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::detail
