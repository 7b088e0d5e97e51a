// Indices and sizes for the language and its library, which count with unsigned numbers where tenon counts with int and
// long. A conversion that is meant, so that no warning about a change of sign has to be switched off.
#pragma once

#include <concepts>
#include <cstddef>

#include <tenon/core/isa.hpp>

namespace tenon {

/// The bound of an array whose size is an int that is a template's: `Vector row[array_bound<Width>];`. A constant, so
/// it may be outside of TENON_ISA_NAMESPACE, like the programs that need it.
template <long Count>
requires(Count >= 0) inline constexpr std::size_t array_bound = static_cast<std::size_t>(Count);

inline namespace TENON_ISA_NAMESPACE {
namespace detail {

/// A number that isn't negative, as an index or a size: `values[index(i)]`.
constexpr std::size_t index(std::integral auto number) { return static_cast<std::size_t>(number); }

}  // namespace detail
}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon
