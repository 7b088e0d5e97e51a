#pragma once
// IWYU pragma: private, include <tenon/inference.hpp>

// Bytes as UTF-8: names from a file system or an old archive need not be UTF-8, JSON and XML must be.

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include <tenon/core/isa.hpp>
#include <tenon/io/json.hpp>

namespace tenon::detail {
inline namespace TENON_ISA_NAMESPACE {

/// Two lower-case digits for each byte: `caf` and the byte E9 -> `636166e9`.
template <class Once = void>
std::string to_hexadecimal(std::string_view bytes) {
    constexpr std::string_view digits = "0123456789abcdef";
    std::string text;
    for (const char c : bytes) {
        const auto byte = static_cast<unsigned char>(c);
        text += {digits[byte >> 4], digits[byte & 15]};
    }
    return text;
}

/// The bytes that to_hexadecimal wrote; nothing when `text` has another form. `636166e9` -> `caf` and the byte E9.
template <class Once = void>
std::optional<std::string> from_hexadecimal(std::string_view text) {
    const auto value = [](char digit) {
        const std::size_t at = std::string_view("0123456789abcdef").find(digit);
        return at == std::string_view::npos ? -1 : static_cast<int>(at);
    };
    if (text.size() % 2 != 0) return {};
    std::string bytes;
    for (std::size_t i = 0; i < text.size(); i += 2) {
        const int high = value(text[i]), low = value(text[i + 1]);
        if (high < 0 || low < 0) return {};
        bytes += static_cast<char>(high * 16 + low);
    }
    return bytes;
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::detail

namespace tenon::programs {

/// Two digits for each byte: `caf` and the byte E9 -> `636166e9`.
using detail::to_hexadecimal;

}  // namespace tenon::programs
