#pragma once
// IWYU pragma: private, include <tenon/training.hpp>

// Comparisons of vectors: a mask is a vector whose elements are all ones or all zeros.

#include <tenon/backend/cpu/simd/vector.hpp>

namespace tenon::cpu {
inline namespace TENON_ISA_NAMESPACE {

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wignored-attributes"

/// Set where a equals b; not set where either is NaN.
TENON_INLINE Vector equal(Vector a, Vector b) { return reinterpret_cast<Vector>(a == b); }
/// Set where a <= b; not set where either is NaN.
TENON_INLINE Vector not_above(Vector a, Vector b) { return reinterpret_cast<Vector>(a <= b); }
/// a where the mask is set, zero elsewhere.
TENON_INLINE Vector keep(Vector a, Vector mask) {
    return reinterpret_cast<Vector>(reinterpret_cast<VectorBits>(a) & reinterpret_cast<VectorBits>(mask));
}
/// a where the mask is not set, zero elsewhere.
TENON_INLINE Vector drop(Vector a, Vector mask) {
    return reinterpret_cast<Vector>(reinterpret_cast<VectorBits>(a) & ~reinterpret_cast<VectorBits>(mask));
}
/// Set where either mask is set.
TENON_INLINE Vector either(Vector a, Vector b) {
    return reinterpret_cast<Vector>(reinterpret_cast<VectorBits>(a) | reinterpret_cast<VectorBits>(b));
}
/// The gradient of a ReLU whose operand or result is x: zero where x <= 0, passed on where x is NaN, as in torch.
TENON_INLINE Vector relu_gradient(Vector gradient, Vector x) { return drop(gradient, not_above(x, zero())); }

#pragma GCC diagnostic pop

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::cpu
