// What fuzzers share: they abort with a sentence where a promise is broken, and errors have to be sentences too.
#pragma once

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include <tenon/io/json.hpp>

namespace fuzzing {

/// Aborts, which libFuzzer reports as a failure, unless a promise holds.
inline void require(bool condition, const char* promise) {
    if (condition) return;
    std::fprintf(stderr, "violated: %s\n", promise);
    std::abort();
}

/// Whether a terminal can show it: UTF-8 without control characters.
inline bool is_printable(std::string_view text) {
    return tenon::detail::is_utf8(text) && std::ranges::none_of(text, [](unsigned char c) { return c < 0x20; });
}

}  // namespace fuzzing
