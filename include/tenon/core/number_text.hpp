#pragma once
// IWYU pragma: private, include <tenon/training.hpp>

// Numbers as text and back, whatever the program's locale is: a file may be read under another locale than it was
// written under.

#include <array>
#include <cerrno>
#include <charconv>
#include <clocale>
#include <concepts>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>

#if defined(__APPLE__)
#include <xlocale.h>
#endif

#include <tenon/core/isa.hpp>
#include <tenon/core/math.hpp>

namespace tenon::detail {
inline namespace TENON_ISA_NAMESPACE {

/// A number as std::printf writes it in the C locale: with `precision` digits after the point (`fixed`) or `precision`
/// significant digits (`general`).
inline std::string number_text(double value, std::chars_format format, int precision) {
    std::array<char, 512> text{};  // the longest number has 309 digits before the point
    const auto end = std::to_chars(text.data(), text.data() + text.size(), value, format, precision).ptr;
    return {text.data(), end};
}

/// A number as std::to_string writes it in the C locale, for sentences: six digits after the point.
inline std::string fixed_text(double value) { return number_text(value, std::chars_format::fixed, 6); }

/// A number by a pattern of std::printf, such as ` %3.0f %%`, with a point whatever the locale is.
inline std::string formatted(const char* pattern, double value) {
    std::array<char, 400> text{};
    std::snprintf(text.data(), text.size(), pattern, value);
    std::string result = text.data();
    const std::string point = std::localeconv()->decimal_point;
    const auto is_digit = [&](std::size_t i) { return i < result.size() && result[i] >= '0' && result[i] <= '9'; };
    for (std::size_t at = result.find(point); at != std::string::npos; at = result.find(point, at + 1))
        if (at > 0 && is_digit(at - 1) && is_digit(at + point.size())) result.replace(at, point.size(), ".");
    return result;
}

/// A text with its decimal commas turned into points: `0,5 every=10` -> `0.5 every=10`. Versions of tenon before
/// number_text wrote numbers as the C locale of the program had them.
inline std::string with_decimal_points(std::string text) {
    const auto is_digit = [&](std::size_t i) { return i < text.size() && text[i] >= '0' && text[i] <= '9'; };
    for (std::size_t i = 1; i < text.size(); ++i)
        if (text[i] == ',' && is_digit(i - 1) && is_digit(i + 1)) text[i] = '.';
    return text;
}

/// The number that the complete text spells, or nothing: integers, and what else std::from_chars knows.
template <class Number>
std::optional<Number> parse_by_from_chars(std::string_view text) {
    Number number{};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    return number;
}

/// The same numbers for standard libraries without std::from_chars of floating-point numbers, which is all of libc++ up
/// to 19: by strtod, in a C locale of its own.
inline std::optional<double> parse_by_strtod(std::string_view text) {
    // strtod alone takes spaces, a plus and hexadecimal digits.
    constexpr std::string_view first = "-.0123456789iInN";
    if (text.empty() || first.find(text[0]) == std::string_view::npos) return std::nullopt;
    if (text.find_first_of("xX") != std::string_view::npos) return std::nullopt;
    static const locale_t c_locale = newlocale(LC_ALL_MASK, "C", nullptr);
    const std::string terminated{text};
    char* end = nullptr;
    const int before = errno;
    errno = 0;
    const double number = strtod_l(terminated.c_str(), &end, c_locale);
    const bool out_of_range = errno == ERANGE && (number == 0 || detail::isinf(number));
    errno = before;
    if (out_of_range || end != terminated.c_str() + terminated.size()) return std::nullopt;
    return number;
}

/// The number that the complete text spells; nothing when it spells none (spaces around it included) or one out of the
/// type's range. `1e-3` -> 0.001, `1e-3 ` -> nothing.
template <class Number>
requires std::integral<Number> || std::same_as<Number, double> std::optional<Number> parse_number(
    std::string_view text) {
#if !defined(__cpp_lib_to_chars)
    if constexpr (std::same_as<Number, double>)
        return parse_by_strtod(text);
    else
#endif
        return parse_by_from_chars<Number>(text);
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::detail

namespace tenon::programs {

/// The number that a complete text spells, or nothing, in any locale: `1e-3` -> 0.001.
using detail::parse_number;
/// A number as std::printf writes it in the C locale, with that many digits.
using detail::number_text;

}  // namespace tenon::programs
