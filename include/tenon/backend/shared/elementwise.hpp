#pragma once
// IWYU pragma: private, include <tenon/inference.hpp>

// The formulas of the operations that change each element by itself, for all backends: value and gradient. A new one is
// a kind, a line in op_traits, a layer, and a case in both functions (docs/how_to/add_a_layer.md).

#include <tenon/backend/shared/host_device.hpp>
#include <tenon/core/isa.hpp>
#include <tenon/core/math.hpp>
#include <tenon/program/kinds.hpp>

namespace tenon::detail {
inline namespace TENON_ISA_NAMESPACE {

/// The value at x, rounded as the C++ library does it on every instruction set.
template <class Scalar>
TENON_HOST_DEVICE Scalar elementwise_value(OpKind kind, Scalar x) {
    constexpr Scalar one{1};
    if (kind == OpKind::sigmoid) return one / (one + detail::exp(-x));
    return x;
}

/// The gradient of the operand. `saved` is the operand, or the result where op_traits says `gradient_reads_result`.
template <class Scalar>
TENON_HOST_DEVICE Scalar elementwise_gradient(OpKind kind, Scalar saved, Scalar gradient) {
    constexpr Scalar one{1};
    if (kind == OpKind::sigmoid) return gradient * saved * (one - saved);
    return gradient;
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::detail
