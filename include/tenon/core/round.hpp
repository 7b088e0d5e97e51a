#pragma once
// IWYU pragma: private, include <tenon/inference.hpp>

// Sizes in whole units, for plans: cache lines, packs of channels. Constants only, so it may be outside of
// TENON_ISA_NAMESPACE, like the programs and plans that need it.

#include <concepts>
#include <type_traits>

namespace tenon::detail {

/// The least multiple of `unit` that is at least `count`: 17 in units of 16 -> 32. Neither is negative, unit is not 0.
template <std::integral Number>
constexpr Number round_up(Number count, std::type_identity_t<Number> unit) {
    return (count + unit - 1) / unit * unit;
}

}  // namespace tenon::detail
