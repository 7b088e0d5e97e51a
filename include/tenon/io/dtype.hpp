#pragma once
// IWYU pragma: private, include <tenon/inference.hpp>

// The element types of stored tensors: their names, sizes and C++ types, and the half precision formats as float.

#include <array>
#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <type_traits>

#include <tenon/core/isa.hpp>

namespace tenon {
inline namespace TENON_ISA_NAMESPACE {

static_assert(std::endian::native == std::endian::little,
              "weight files are little-endian and are read without swapping");

/// Element types of tensors in a file: all those of the safetensors format.
enum class DType : unsigned char {
    boolean,
    f4,
    f6_e2m3,
    f6_e3m2,
    u8,
    i8,
    f8_e5m2,
    f8_e4m3,
    f8_e8m0,
    f8_e4m3fnuz,
    f8_e5m2fnuz,
    i16,
    u16,
    f16,
    bf16,
    i32,
    u32,
    f32,
    c64,
    f64,
    i64,
    u64,
};

}  // namespace TENON_ISA_NAMESPACE

namespace detail {
inline namespace TENON_ISA_NAMESPACE {

/// The name of an element type in a file, and the bits of one element.
struct DTypeFacts {
    std::string_view name;
    int bits;
};

/// In the order of DType.
inline constexpr std::array<DTypeFacts, 22> dtype_facts{{
    {"BOOL", 8},    {"F4", 4},      {"F6_E2M3", 6}, {"F6_E3M2", 6},     {"U8", 8},          {"I8", 8},
    {"F8_E5M2", 8}, {"F8_E4M3", 8}, {"F8_E8M0", 8}, {"F8_E4M3FNUZ", 8}, {"F8_E5M2FNUZ", 8}, {"I16", 16},
    {"U16", 16},    {"F16", 16},    {"BF16", 16},   {"I32", 32},        {"U32", 32},        {"F32", 32},
    {"C64", 64},    {"F64", 64},    {"I64", 64},    {"U64", 64},
}};
static_assert(dtype_facts[static_cast<std::size_t>(DType::u64)].name == "U64");

/// The name in a file: `F32`.
constexpr std::string_view dtype_name(DType dtype) { return dtype_facts[static_cast<std::size_t>(dtype)].name; }

/// Bits of one element; some types are smaller than a byte.
constexpr int dtype_bits(DType dtype) { return dtype_facts[static_cast<std::size_t>(dtype)].bits; }

/// The type with this name in a file, if there is one.
constexpr std::optional<DType> dtype_from_name(std::string_view name) {
    for (std::size_t i = 0; i < dtype_facts.size(); ++i)
        if (dtype_facts[i].name == name) return static_cast<DType>(i);
    return std::nullopt;
}

/// C++ types that tensors of a file can be read as and written from without conversion.
template <class T>
concept Element = std::same_as<T, float> || std::same_as<T, double> ||
    (std::integral<T> && !std::same_as<T, bool> && !std::same_as<T, char> && sizeof(T) <= 8);

/// The stored type of a C++ type: `dtype_of<float> == DType::f32`.
template <Element T>
inline constexpr DType dtype_of = [] {
    if constexpr (std::floating_point<T>) {
        return sizeof(T) == 4 ? DType::f32 : DType::f64;
    } else if constexpr (std::is_signed_v<T>) {
        return sizeof(T) == 1 ? DType::i8 : sizeof(T) == 2 ? DType::i16 : sizeof(T) == 4 ? DType::i32 : DType::i64;
    } else {
        return sizeof(T) == 1 ? DType::u8 : sizeof(T) == 2 ? DType::u16 : sizeof(T) == 4 ? DType::u32 : DType::u64;
    }
}();

/// The value of an IEEE binary16 number, exactly.
constexpr float half_to_float(std::uint16_t half) {
    const std::uint32_t sign = static_cast<std::uint32_t>(half & 0x8000u) << 16;
    const std::uint32_t exponent = (half >> 10) & 0x1Fu;
    const std::uint32_t fraction = half & 0x3FFu;
    if (exponent == 0) {  // zero or subnormal: a multiple of 2^-24
        const float magnitude = static_cast<float>(fraction) * 0x1p-24f;
        return std::bit_cast<float>(std::bit_cast<std::uint32_t>(magnitude) | sign);
    }
    const std::uint32_t rebased = exponent == 0x1F ? 0xFFu : exponent + (127 - 15);
    return std::bit_cast<float>(sign | (rebased << 23) | (fraction << 13));
}

/// The IEEE binary16 number nearest to a float, ties to even; values that round beyond 65504 become infinities.
constexpr std::uint16_t float_to_half(float value) {
    const std::uint32_t bits = std::bit_cast<std::uint32_t>(value);
    const auto sign = static_cast<std::uint16_t>(bits >> 16 & 0x8000u);
    const std::uint32_t magnitude = bits & 0x7FFFFFFFu;
    if (magnitude > 0x7F800000u) return static_cast<std::uint16_t>(sign | 0x7E00u);
    const auto rounded = [](std::uint32_t high, std::uint32_t rest, std::uint32_t half) {
        return high + (rest > half || (rest == half && (high & 1u) != 0) ? 1u : 0u);
    };
    if (magnitude >= 0x38800000u) {  // at least 2^-14: normal, or too large; a carry goes into the exponent
        const std::uint32_t rebased = magnitude - ((127u - 15u) << 23);
        const std::uint32_t half = rounded(rebased >> 13, rebased & 0x1FFFu, 0x1000u);
        return static_cast<std::uint16_t>(sign | (half < 0x7C00u ? half : 0x7C00u));
    }
    // Subnormal: a multiple of 2^-24. Below half of that it is 0.
    const std::uint32_t exponent = magnitude >> 23;
    if (exponent < 102) return sign;
    const std::uint32_t fraction = (magnitude & 0x7FFFFFu) | 0x800000u, shift = 126 - exponent;
    return static_cast<std::uint16_t>(sign |
                                      rounded(fraction >> shift, fraction & ((1u << shift) - 1), 1u << (shift - 1)));
}

/// The value of a bfloat16 number, exactly: the upper half of a float.
constexpr float bfloat16_to_float(std::uint16_t value) {
    return std::bit_cast<float>(static_cast<std::uint32_t>(value) << 16);
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace detail

}  // namespace tenon
