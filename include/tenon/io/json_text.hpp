#pragma once
// IWYU pragma: private, include <tenon/inference.hpp>

// Texts quoted as JSON quotes them.

#include <cstddef>
#include <string>
#include <string_view>

#include <tenon/core/cold.hpp>
#include <tenon/core/isa.hpp>
#include <tenon/core/sentence.hpp>
#include <tenon/io/utf8.hpp>

namespace tenon::detail {
inline namespace TENON_ISA_NAMESPACE {

/// `text` as a JSON string with its quotes; quotes, backslashes and control characters are escaped. `text` should be
/// UTF-8.
template <class Once = void>
TENON_COLD std::string json_string(std::string_view text) {
    std::string result = "\"";
    for (const char c : text) {
        if (c == '"' || c == '\\') {
            result += {'\\', c};
        } else if (static_cast<unsigned char>(c) < 0x20) {
            constexpr std::string_view digits = "0123456789abcdef";
            result += {'\\', 'u', '0', '0', digits[static_cast<unsigned char>(c) >> 4], digits[c & 15]};
        } else {
            result += c;
        }
    }
    return result + '"';
}

/// A name for use in a sentence: quoted, on one line, in UTF-8, and cut off where it gets too long to read.
template <class Once = void>
TENON_COLD std::string quote_name(std::string_view name) {
    constexpr std::size_t max_bytes = 120;
    const std::string text = to_utf8(name);
    if (text.size() <= max_bytes) return json_string(text);
    std::size_t end = max_bytes;
    while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;  // not inside a sequence
    return joined({json_string(text.substr(0, end)), "... (", name.size(), " bytes)"});
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::detail
