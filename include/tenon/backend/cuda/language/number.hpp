#pragma once
// IWYU pragma: private, include <tenon/inference.hpp>

// The scalar types that CUDA's kernels store, on host and device.

#include <cstdint>
#include <cstring>
#include <string>

#include <tenon/backend/cuda/language/device.hpp>
#include <tenon/backend/shared/namespaces.hpp>
#include <tenon/backend/shared/precision.hpp>
#include <tenon/core/error.hpp>
#include <tenon/core/index.hpp>
#include <tenon/core/isa.hpp>

namespace tenon::cuda {

/// The upper half of a float.
struct BFloat16 {
    std::uint16_t bits;
};

/// IEEE's binary16.
struct Float16 {
    std::uint16_t bits;
};

/// The type in which a precision stores values and weights.
template <Precision P>
struct NumberOf {
    using type = float;
};
template <>
struct NumberOf<Precision::bfloat16> {
    using type = BFloat16;
};
template <>
struct NumberOf<Precision::float16> {
    using type = Float16;
};
template <Precision P>
using Number = typename NumberOf<P>::type;

/// `Count` numbers that are loaded or stored at once.
template <class NumberType, int Count>
struct alignas(sizeof(NumberType) * Count) Pack {
    NumberType items[array_bound<Count>];
};

inline namespace TENON_ISA_NAMESPACE {

TENON_HOST_DEVICE std::uint32_t bits_of(float value) {
#if defined(__CUDA_ARCH__)
    return __float_as_uint(value);
#else
    std::uint32_t bits;
    std::memcpy(&bits, &value, sizeof bits);
    return bits;
#endif
}
TENON_HOST_DEVICE float float_of_bits(std::uint32_t bits) {
#if defined(__CUDA_ARCH__)
    return __uint_as_float(bits);
#else
    float value;
    std::memcpy(&value, &bits, sizeof value);
    return value;
#endif
}

TENON_HOST_DEVICE float to_float(float value) { return value; }
TENON_HOST_DEVICE float to_float(BFloat16 value) { return float_of_bits(static_cast<std::uint32_t>(value.bits) << 16); }
TENON_HOST_DEVICE float to_float(Float16 value) {
#if defined(__CUDA_ARCH__)
    float result;
    asm("cvt.f32.f16 %0, %1;" : "=f"(result) : "h"(value.bits));
    return result;
#else
    const std::uint32_t sign = static_cast<std::uint32_t>(value.bits & 0x8000u) << 16, rest = value.bits & 0x7fffu;
    if (rest >= 0x7c00u) return float_of_bits(sign | 0x7f800000u | (rest & 0x3ffu) << 13);
    if (rest >= 0x400u) return float_of_bits(sign | ((rest << 13) + (112u << 23)));
    const float magnitude = static_cast<float>(rest) * 0x1p-24f;  // subnormal
    return sign ? -magnitude : magnitude;
#endif
}

/// Rounds to the nearest, ties to even; NaN stays NaN.
template <class NumberType>
TENON_HOST_DEVICE NumberType from_float(float value);
template <>
TENON_HOST_DEVICE float from_float<float>(float value) {
    return value;
}
template <>
TENON_HOST_DEVICE BFloat16 from_float<BFloat16>(float value) {
#if defined(__CUDA_ARCH__)
    BFloat16 result;
    asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(result.bits) : "f"(value));
    return result;
#else
    const std::uint32_t bits = bits_of(value);
    if (value != value) return {static_cast<std::uint16_t>(bits >> 16 | 0x40u)};
    return {static_cast<std::uint16_t>((bits + 0x7fffu + (bits >> 16 & 1u)) >> 16)};
#endif
}
template <>
TENON_HOST_DEVICE Float16 from_float<Float16>(float value) {
#if defined(__CUDA_ARCH__)
    Float16 result;
    asm("cvt.rn.f16.f32 %0, %1;" : "=h"(result.bits) : "f"(value));
    return result;
#else
    const std::uint32_t bits = bits_of(value), sign = bits >> 16 & 0x8000u, rest = bits & 0x7fffffffu;
    std::uint32_t half;
    if (rest > 0x7f800000u) {
        half = 0x7e00u;
    } else if (rest >= 0x47800000u) {
        half = 0x7c00u;  // 65536 and above
    } else if (rest < 0x38800000u) {
        // Adding and subtracting 0.5 rounds to a multiple of 2^-24, the distance of subnormal numbers.
        half = bits_of(float_of_bits(rest) + 0.5f) - bits_of(0.5f);
    } else {
        half = (rest - (112u << 23) + 0xfffu + (rest >> 13 & 1u)) >> 13;  // may round up to infinity
    }
    return {static_cast<std::uint16_t>(sign | half)};
#endif
}

/// The number that a tensor core multiplies by instead of a float: rounded to 10 bits of mantissa, to the nearest, ties
/// away from zero.
TENON_HOST_DEVICE std::uint32_t round_to_tensor_float(std::uint32_t bits) {
#if defined(__CUDA_ARCH__)
    std::uint32_t result;
    asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(result) : "f"(__uint_as_float(bits)));
    return result;
#else
    if ((bits & 0x7f800000u) == 0x7f800000u) return bits;
    return (bits + 0x1000u) & ~0x1fffu;
#endif
}

/// Whether a number is neither infinite nor a NaN.
template <class Real>
TENON_HOST_DEVICE bool is_finite(Real value) {
    return value - value == 0;  // NOLINT(misc-redundant-expression)
}

/// max(value, 0); NaN stays NaN.
TENON_HOST_DEVICE float positive_part(float value) { return value < 0 ? 0.0f : value; }

#if !defined(__CUDA_ARCH__)
/// Throws tenon::Error where a device would trap: it loads and stores at once only what is aligned to all of it.
inline void check_aligned(const void* address, std::size_t bytes) {
    if (reinterpret_cast<std::uintptr_t>(address) % bytes != 0)
        throw Error("a kernel accesses " + std::to_string(bytes) + " bytes at an address that is not aligned to them");
}
#endif

/// Loads `Size` numbers from memory that is aligned to all of them together.
template <std::size_t Size, class NumberType>
TENON_HOST_DEVICE void load_floats(const NumberType* from, float (&to)[Size]) {
    constexpr int count = static_cast<int>(Size);
    Pack<NumberType, count> pack;
#if defined(__CUDA_ARCH__)
    pack = *reinterpret_cast<const Pack<NumberType, count>*>(from);
#else
    check_aligned(from, sizeof pack);
    std::memcpy(&pack, from, sizeof pack);
#endif
    TENON_CUDA_UNROLL
    for (int i = 0; i < count; ++i) to[i] = to_float(pack.items[i]);
}

/// Rounds and stores `Size` numbers.
template <std::size_t Size, class NumberType>
TENON_HOST_DEVICE void store_floats(const float (&from)[Size], NumberType* to) {
    constexpr int count = static_cast<int>(Size);
    Pack<NumberType, count> pack;
    TENON_CUDA_UNROLL
    for (int i = 0; i < count; ++i) pack.items[i] = from_float<NumberType>(from[i]);
#if defined(__CUDA_ARCH__)
    *reinterpret_cast<Pack<NumberType, count>*>(to) = pack;
#else
    check_aligned(to, sizeof pack);
    std::memcpy(to, &pack, sizeof pack);
#endif
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::cuda
