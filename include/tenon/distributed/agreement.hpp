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

#include <tenon/distributed/world.hpp>

namespace tenon::detail {
inline namespace TENON_ISA_NAMESPACE {

/// Texts of all ranks, in their order. Called by all ranks.
inline std::vector<std::string> gather_texts(distributed::World world, const std::string& text) {
    const auto ranks = static_cast<std::size_t>(world.size());
    const std::uint64_t mine = text.size();
    std::vector<std::uint64_t> sizes(ranks);
    world.all_gather(std::span<const std::uint64_t>(&mine, 1), std::span<std::uint64_t>(sizes));
    const auto longest = static_cast<std::size_t>(*std::ranges::max_element(sizes));
    std::string padded = text, all(longest * ranks, '\0');
    padded.resize(longest);
    world.all_gather(std::span<const char>(padded), std::span<char>(all));
    std::vector<std::string> texts;
    for (std::size_t rank = 0; rank < ranks; ++rank)
        texts.push_back(all.substr(rank * longest, static_cast<std::size_t>(sizes[rank])));
    return texts;
}

/// Gives all ranks the text of rank 0. Called by all ranks.
inline void broadcast_text(distributed::World world, std::string& text) {
    std::uint64_t size = text.size();
    world.broadcast(std::span(&size, 1));
    text.resize(static_cast<std::size_t>(size));
    world.broadcast(std::span<char>(text));
}

/// What all ranks must agree in: names and values.
using Facts = std::vector<std::pair<std::string, std::string>>;

/// Throws tenon::Error on all ranks unless all have the same facts, naming the first rank that differs from rank 0 and
/// in what. Called by all ranks.
inline void check_agreement(distributed::World world, const Facts& facts) {
    if (world.size() == 1) return;
    constexpr char end_of_name = '\x1f', end_of_fact = '\x1e';
    std::string text;
    for (const auto& [name, value] : facts) text += name + end_of_name + value + end_of_fact;
    const std::vector<std::string> texts = gather_texts(world, text);
    for (int rank = 1; rank < world.size(); ++rank) {
        const std::string &first = texts.front(), &other = texts[static_cast<std::size_t>(rank)];
        if (first == other) continue;
        // The fact in which they differ begins after the last end of a fact that they have in common.
        const auto same = static_cast<std::size_t>(std::ranges::mismatch(first, other).in1 - first.begin());
        const std::size_t end = same == 0 ? std::string::npos : first.rfind(end_of_fact, same - 1);
        const std::size_t begin = end == std::string::npos ? 0 : end + 1;
        const auto fact = [&](const std::string& all) {
            const std::string found = all.substr(begin, all.find(end_of_fact, begin) - begin);
            const std::size_t at = found.find(end_of_name);
            return at == std::string::npos ? std::pair{std::string("nothing"), std::string()}
                                           : std::pair{found.substr(0, at), found.substr(at + 1)};
        };
        const auto [name, value] = fact(other);
        const auto [first_name, first_value] = fact(first);
        throw Error(world.name(rank) + " differs from rank 0: it has " + name + " " + value + ", expected " +
                    first_name + " " + first_value);
    }
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::detail
