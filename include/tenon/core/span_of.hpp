#pragma once
// IWYU pragma: private, include <tenon/inference.hpp>

// The elements of a vector as a span. What a vector turns into by itself is the same, but its conversion asks the
// compiler whether the vector is a range of C++20: that takes 17 ms and 2.5 MB for each type of elements, in every file
// that includes a header which has such a conversion (g++ 12).

#include <span>
#include <vector>

#include <tenon/core/isa.hpp>

namespace tenon::detail {
inline namespace TENON_ISA_NAMESPACE {

/// All elements of a vector, which must outlive the span.
template <class T>
constexpr std::span<const T> span_of(const std::vector<T>& vector) {
    return {vector.data(), vector.size()};
}
template <class T>
constexpr std::span<T> span_of(std::vector<T>& vector) {
    return {vector.data(), vector.size()};
}
/// The same of a vector that ends with the full expression: an argument of a call.
template <class T>
constexpr std::span<const T> span_of(const std::vector<T>&& vector) {
    return {vector.data(), vector.size()};
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::detail
