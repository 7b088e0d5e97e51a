#pragma once
// IWYU pragma: private, include <tenon/network.hpp>

// The shape of one sample: a map of channels x height x width, or a flat vector of features.

#include <string>

#include <tenon/core/isa.hpp>
#include <tenon/core/sentence.hpp>

namespace tenon {

/// The static shape of one sample, without the batch. `Shape{3, 224, 224}` is a map (channels, height, width);
/// `Shape{10}` is a flat vector of 10 features. A structural type, so that shapes can be template arguments.
struct Shape {
    int channels = 0;
    int height = 0;  ///< 0 for a flat vector
    int width = 0;   ///< 0 for a flat vector

    /// Whether this is a flat vector of features, not a map.
    constexpr bool is_flat() const { return height == 0 && width == 0; }

    /// Pixels of one channel; 1 for a flat vector.
    constexpr long pixels() const { return is_flat() ? 1 : long{height} * width; }

    /// Scalars of one sample.
    constexpr long elements() const { return channels * pixels(); }

    friend constexpr bool operator==(const Shape&, const Shape&) = default;
};

inline namespace TENON_ISA_NAMESPACE {

/// `[3, 224, 224]` or `[10]`.
inline std::string to_string(const Shape& shape) {
    if (shape.is_flat()) return detail::joined({"[", shape.channels, "]"});
    return detail::joined({"[", shape.channels, ", ", shape.height, ", ", shape.width, "]"});
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon
