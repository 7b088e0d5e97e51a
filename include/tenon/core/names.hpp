#pragma once
// IWYU pragma: private, include <tenon/inference.hpp>

// Tools for tables of names. Readers of files share these few instances of the standard library's templates: each new
// type of a map or of sorted elements is compiled into kilobytes.

#include <algorithm>
#include <cstddef>
#include <map>
#include <string>
#include <vector>

#include <tenon/core/function_ref.hpp>
#include <tenon/core/isa.hpp>

namespace tenon::detail {
inline namespace TENON_ISA_NAMESPACE {

/// Names, each with a number: where in a vector is what has the name.
using NameIndex = std::map<std::string, std::size_t, std::less<>>;

/// The numbers 0, 1, ..., count - 1 in the order that is_before gives to what they number; equals keep their order.
///
/// Example: of the words b, a, c, a -> 1, 3, 0, 2.
template <class Once = void>
std::vector<std::size_t> sorted_order(std::size_t count, FunctionRef<bool(std::size_t, std::size_t)> is_before) {
    std::vector<std::size_t> order(count);
    for (std::size_t i = 0; i < count; ++i) order[i] = i;
    std::sort(order.begin(), order.end(),
              [&](std::size_t a, std::size_t b) { return is_before(a, b) || (a < b && !is_before(b, a)); });
    return order;
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::detail
