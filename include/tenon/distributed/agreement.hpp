#pragma once
// IWYU pragma: private, include <tenon/distributed.hpp>

// Whether all ranks do the same work: what they must agree in, compared before it begins.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <tenon/core/index.hpp>
#include <tenon/distributed/world.hpp>

namespace tenon::detail {
inline namespace TENON_ISA_NAMESPACE {

/// Texts of all ranks, in their order. Called by all ranks.
inline std::vector<std::string> gather_texts(distributed::World world, const std::string& text) {
    const auto ranks = index(world.size());
    const std::uint64_t mine = text.size();
    std::vector<std::uint64_t> sizes(ranks);
    world.all_gather(std::span<const std::uint64_t>(&mine, 1), std::span<std::uint64_t>(sizes));
    const auto longest = index(*std::ranges::max_element(sizes));
    std::string padded = text, all(longest * ranks, '\0');
    padded.resize(longest);
    world.all_gather(std::span<const char>(padded), std::span<char>(all));
    std::vector<std::string> texts;
    for (std::size_t rank = 0; rank < ranks; ++rank) texts.push_back(all.substr(rank * longest, index(sizes[rank])));
    return texts;
}

/// Gives all ranks the text of rank 0. Called by all ranks.
inline void broadcast_text(distributed::World world, std::string& text) {
    std::uint64_t size = text.size();
    world.broadcast(std::span(&size, 1));
    text.resize(index(size));
    world.broadcast(std::span<char>(text));
}

/// What all ranks must agree in: names and values.
using Facts = std::vector<std::pair<std::string, std::string>>;

inline constexpr char end_of_name = '\x1f', end_of_fact = '\x1e';

/// The fact in which a rank's text differs from the first rank's, of both: "learning rate 0.1".
inline std::pair<std::string, std::string> differing_fact(const std::string& first, const std::string& other) {
    // It begins after the last end of a fact that they have in common.
    const auto same = index(std::ranges::mismatch(first, other).in1 - first.begin());
    const std::size_t end = same == 0 ? std::string::npos : first.rfind(end_of_fact, same - 1);
    const std::size_t begin = end == std::string::npos ? 0 : end + 1;
    const auto fact = [&](const std::string& all) {
        std::string found = all.substr(begin, all.find(end_of_fact, begin) - begin);
        if (found.empty()) return std::string("nothing");
        std::ranges::replace(found, end_of_name, ' ');
        return found;
    };
    return {fact(first), fact(other)};
}

/// Throws tenon::Error on all ranks unless all have the same facts, naming the first rank that differs from rank 0 and
/// in what. Called by all ranks.
inline void check_agreement(distributed::World world, const Facts& facts) {
    if (world.size() == 1) return;
    std::string text;
    for (const auto& [name, value] : facts) {
        text += name;
        text += end_of_name;
        text += value;
        text += end_of_fact;
    }
    const std::vector<std::string> texts = gather_texts(world, text);
    const auto other = std::ranges::find_if(texts, [&](const std::string& ranks) { return ranks != texts.front(); });
    if (other == texts.end()) return;
    const auto [expected, found] = differing_fact(texts.front(), *other);
    throw Error(world.name(static_cast<int>(other - texts.begin())) + " differs from rank 0: it has " + found +
                ", expected " + expected);
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::detail

namespace tenon::programs {

/// Texts of all processes, in the order of their ranks. Called by all of them.
using detail::gather_texts;

}  // namespace tenon::programs
