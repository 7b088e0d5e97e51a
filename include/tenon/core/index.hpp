#pragma once
// IWYU pragma: private, include <tenon/network.hpp>

// Indices and sizes for the language and its library, which count with unsigned numbers where tenon counts with int and
// long. The conversion is explicit, so that -Wsign-conversion can stay on.

#include <concepts>
#include <cstddef>

#include <tenon/core/isa.hpp>

namespace tenon {

namespace detail {

/// The bound of an array whose size is a signed template parameter: `Vector row[array_bound<Width>];`. A constant, so
/// it is outside TENON_ISA_NAMESPACE, like the programs that need it.
template <long Count>
requires(Count >= 0) inline constexpr std::size_t array_bound = static_cast<std::size_t>(Count);

}  // namespace detail

namespace detail {
inline namespace TENON_ISA_NAMESPACE {

/// A non-negative number as an index or a size: `values[index(i)]`.
constexpr std::size_t index(std::integral auto number) { return static_cast<std::size_t>(number); }

}  // namespace TENON_ISA_NAMESPACE
}  // namespace detail

}  // namespace tenon
