// Comparisons of vectors: masks are vectors of all ones or all zeros in each lane.
#pragma once

#include <tenon/backend/cpu/simd.hpp>

namespace tenon {
inline namespace TENON_ISA_NAMESPACE {

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wignored-attributes"

/// Where a equals b; nowhere a NaN.
TENON_INLINE Vector equal(Vector a, Vector b) { return Eigen::internal::pcmp_eq(a, b); }
/// Where a is not above b; nowhere a NaN.
TENON_INLINE Vector not_above(Vector a, Vector b) { return Eigen::internal::pcmp_le(a, b); }
/// a where the mask is set, zero elsewhere.
TENON_INLINE Vector keep(Vector a, Vector mask) { return Eigen::internal::pand(a, mask); }
/// a where the mask is not set, zero elsewhere.
TENON_INLINE Vector drop(Vector a, Vector mask) { return Eigen::internal::pandnot(a, mask); }
/// Where one of both masks is set.
TENON_INLINE Vector either(Vector a, Vector b) { return Eigen::internal::por(a, b); }
/// A gradient behind a ReLU whose operand or result is x: zero where x is zero or below, and passed on at a NaN, as in
/// torch.
TENON_INLINE Vector relu_gradient(Vector gradient, Vector x) { return drop(gradient, not_above(x, zero())); }

#pragma GCC diagnostic pop

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon
