#pragma once
// IWYU pragma: private, include <tenon/inference.hpp>

// The precisions that networks are computed in.

namespace tenon {

/// How a network is computed: `CudaWith<Precision::bfloat16>`, `CpuWith<Precision::int8>`. All of them sum in 32 bits;
/// weights are rounded once, when they are packed. The CPU has float32, bfloat16 and int8, CUDA has all but int8.
enum class Precision {
    float32,         ///< everything in 32 bits: the CPU's results except for the order of sums
    tensor_float32,  ///< stored in 32 bits, multiplied with 10 bits of mantissa
    bfloat16,        ///< stored and multiplied with 8 exponent and 7 mantissa bits
    float16,         ///< stored and multiplied with 5 exponent and 10 mantissa bits; above 65504 it overflows
    int8,            ///< multiplied as 8-bit integers, whose ranges are measured by a Calibrator
};

namespace detail {

/// Bytes of a stored value.
constexpr int number_bytes(Precision precision) {
    return precision == Precision::bfloat16 || precision == Precision::float16 ? 2 : 4;
}

/// What checkpoints call a precision.
constexpr const char* precision_name(Precision precision) {
    constexpr const char* names[] = {"float32", "tensor_float32", "bfloat16", "float16", "int8"};
    return names[static_cast<int>(precision)];
}

/// Whether training multiplies the loss by a scale, as small gradients would be lost below the smallest number of the
/// type (backend/shared/loss_scale.hpp).
constexpr bool scales_loss(Precision precision) { return precision == Precision::float16; }

}  // namespace detail

}  // namespace tenon
