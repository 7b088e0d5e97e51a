#pragma once
// IWYU pragma: private, include <tenon/inference.hpp>

// Sentences that are made of parts, for errors. A chain of `+` makes a string for each of its parts, and is compiled
// into some hundred bytes at each place; this is a table of the parts and a call.

#include <initializer_list>
#include <string>
#include <string_view>

#include <tenon/core/error.hpp>
#include <tenon/core/isa.hpp>

namespace tenon::detail {
inline namespace TENON_ISA_NAMESPACE {

/// The parts as one text.
template <class Once = void>
[[gnu::noinline]] std::string joined(std::initializer_list<std::string_view> parts) {
    std::string text;
    for (const std::string_view part : parts) text += part;
    return text;
}

/// Throws tenon::Error with the parts as its text: `throw_error({"expected ", quote_name(name), ", found none"})`.
template <class Once = void>
[[noreturn, gnu::cold, gnu::noinline]] void throw_error(std::initializer_list<std::string_view> parts) {
    throw Error(joined(parts));
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::detail
