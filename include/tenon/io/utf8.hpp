#pragma once
// IWYU pragma: private, include <tenon/inference.hpp>

// UTF-8: whether bytes are it, and bytes as readable UTF-8.

#include <cstddef>
#include <string>
#include <string_view>

#include <tenon/core/cold.hpp>
#include <tenon/core/isa.hpp>

namespace tenon::detail {
inline namespace TENON_ISA_NAMESPACE {

/// Length in bytes of the UTF-8 sequence that `text` begins with; 0 when it begins with none (truncated, overlong, a
/// surrogate, past U+10FFFF) or is empty.
template <class Once = void>
TENON_COLD std::size_t utf8_sequence_length(std::string_view text) {
    if (text.empty()) return 0;
    const auto byte = [text](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    const unsigned lead = byte(0);
    if (lead < 0x80) return 1;
    const std::size_t length = lead < 0xC2 ? 0 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : lead < 0xF5 ? 4 : 0;
    if (length == 0 || text.size() < length) return 0;
    for (std::size_t i = 1; i < length; ++i)
        if ((byte(i) & 0xC0) != 0x80) return 0;
    if (lead == 0xE0 && byte(1) < 0xA0) return 0;  // overlong
    if (lead == 0xED && byte(1) > 0x9F) return 0;  // surrogate
    if (lead == 0xF0 && byte(1) < 0x90) return 0;  // overlong
    if (lead == 0xF4 && byte(1) > 0x8F) return 0;  // past U+10FFFF
    return length;
}

/// Whether all of `text` is UTF-8.
template <class Once = void>
TENON_COLD bool is_utf8(std::string_view text) {
    while (!text.empty()) {
        const std::size_t length = utf8_sequence_length(text);
        if (length == 0) return false;
        text.remove_prefix(length);
    }
    return true;
}

/// `bytes` as readable UTF-8: each byte that belongs to no UTF-8 sequence becomes four characters, `caf` and the byte
/// E9 -> `caf\xE9`. UTF-8 is unchanged, backslashes too, so two names may give the same text; to_hexadecimal keeps the
/// bytes.
template <class Once = void>
TENON_COLD std::string to_utf8(std::string_view bytes) {
    constexpr std::string_view digits = "0123456789ABCDEF";
    std::string text;
    while (!bytes.empty()) {
        const std::size_t length = utf8_sequence_length(bytes);
        if (length == 0) {
            const auto byte = static_cast<unsigned char>(bytes.front());
            text += {'\\', 'x', digits[byte >> 4], digits[byte & 15]};
        } else {
            text += bytes.substr(0, length);
        }
        bytes.remove_prefix(length == 0 ? 1 : length);
    }
    return text;
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::detail
