// Tables of names, and sentences that are made of parts.
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include <doctest/doctest.h>

#include <tenon/core/names.hpp>
#include <tenon/core/sentence.hpp>

TEST_CASE("an order by number keeps equals as they were") {
    const std::vector<std::string> words{"b", "a", "c", "a"};
    const auto is_before = [&](std::size_t a, std::size_t b) { return words[a] < words[b]; };
    CHECK(tenon::detail::sorted_order(words.size(), is_before) == std::vector<std::size_t>{1, 3, 0, 2});
    CHECK(tenon::detail::sorted_order(0, is_before).empty());

    // More than an insertion sort takes: many equals, far apart.
    const auto by_remainder = [](std::size_t a, std::size_t b) { return a % 3 < b % 3; };
    std::vector<std::size_t> expected;
    for (std::size_t remainder = 0; remainder < 3; ++remainder)
        for (std::size_t i = remainder; i < 1000; i += 3) expected.push_back(i);
    CHECK(tenon::detail::sorted_order(1000, by_remainder) == expected);
}

TEST_CASE("a sentence has its parts in order") {
    const std::string name = "conv1";
    CHECK(tenon::detail::joined({"tensor ", name, ": ", std::string_view{}, 3}) == "tensor conv1: 3");
    CHECK(tenon::detail::joined({0, " ", -1, " ", 10U, " ", -20L, " ", std::size_t{305}}) == "0 -1 10 -20 305");
    CHECK(tenon::detail::joined({std::numeric_limits<std::int64_t>::min(), " ",
                                 std::numeric_limits<std::uint64_t>::max(), " ", std::numeric_limits<int>::min()}) ==
          "-9223372036854775808 18446744073709551615 -2147483648");
    CHECK_THROWS_WITH_AS(tenon::detail::throw_error({"expected ", name}), "expected conv1", tenon::Error);
}
