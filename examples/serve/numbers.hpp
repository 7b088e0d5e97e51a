// Numbers as text that is read back as the same number.
#pragma once

#include <array>
#include <charconv>
#include <string>

/// The shortest such text: `0.1`, `1e+20`.
template <class Number>
std::string shortest(Number value) {
    std::array<char, 32> text{};  // a double has at most 24 characters
    return {text.data(), std::to_chars(text.data(), text.data() + text.size(), value).ptr};
}
