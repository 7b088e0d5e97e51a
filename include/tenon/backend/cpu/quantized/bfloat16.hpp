#pragma once
// IWYU pragma: private, include <tenon/inference.hpp>

// Numbers of 16 bits that are the upper halves of 32-bit floats, and sums of their products.
//
// Everything here has the same bits on every instruction set. The product of two such numbers has 16 bits of mantissa,
// so it is exact in 32 bits, and a sum has the same bits with a fused multiply-add and without one. vdpbf16ps adds the
// product of the upper numbers of its words first and then that of the lower ones, and rounds each sum to the nearest
// float, ties to even; so does the code for other machines. Only numbers below 1.2e-38, which vdpbf16ps takes for zero,
// may differ. (Compared on Sapphire Rapids, 2026-11-30: 12,000,000 random products and 44,000,000 roundings.)

#include <bit>
#include <limits>

#include <tenon/backend/cpu/quantized/vector.hpp>

namespace tenon::cpu {
inline namespace TENON_ISA_NAMESPACE {

/// A float rounded to bfloat16: to the nearest, ties to even; zero for magnitudes below 1.2e-38, NaN for NaN.
constexpr std::uint16_t to_bfloat16(float value) {
    const auto bits = std::bit_cast<std::uint32_t>(value);
    const std::uint32_t magnitude = bits & 0x7fffffffu;
    if (magnitude > 0x7f800000u) return static_cast<std::uint16_t>((bits >> 16) | 0x40u);
    if (magnitude < 0x00800000u) return static_cast<std::uint16_t>((bits >> 16) & 0x8000u);
    return static_cast<std::uint16_t>((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16);
}
constexpr float from_bfloat16(std::uint16_t bits) { return std::bit_cast<float>(std::uint32_t{bits} << 16); }

/// A NaN with a payload that rounding carries on, for any NaN; other floats as they are.
constexpr float with_plain_nan(float value) {
    return value == value ? value : std::numeric_limits<float>::quiet_NaN();  // NOLINT(misc-redundant-expression)
}

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wignored-attributes"

/// The upper number of each word, and the lower one, as floats.
TENON_INLINE Vector upper_numbers(Sums words) { return reinterpret_cast<Vector>(words & -0x10000); }
TENON_INLINE Vector lower_numbers(Sums words) { return reinterpret_cast<Vector>(words << 16); }

/// The same of words in memory that is aligned to the vector. Written out, as GCC 12 takes registers for what the
/// instructions read from memory, and then spills sums.
TENON_INLINE Vector load_upper_numbers(const float* words) {
#if defined(__AVX512BW__)
    Vector numbers;
    asm("vmovdqu16 %1, %0%{%2%}%{z%}" : "=v"(numbers) : "m"(*reinterpret_cast<const Sums*>(words)), "Yk"(0xaaaaaaaau));
    return numbers;
#else
    return upper_numbers(load_words(words));
#endif
}
TENON_INLINE Vector load_lower_numbers(const float* words) {
#if defined(__AVX512F__)
    Vector numbers;
    asm("vpslld $16, %1, %0" : "=v"(numbers) : "m"(*reinterpret_cast<const Sums*>(words)));
    return numbers;
#else
    return lower_numbers(load_words(words));
#endif
}

/// sums + a * b. Sums are floats, in a vector of bits. The product is exact, so it may be rounded before it is added.
TENON_INLINE Sums add_exact_products(Sums sums, Vector a, Vector b) {
#if defined(__AVX512F__)
    asm("vfmadd231ps %2, %1, %0" : "+v"(sums) : "v"(a), "v"(b));
    return sums;
#elif defined(__FMA__)
    asm("vfmadd231ps %2, %1, %0" : "+x"(sums) : "x"(a), "x"(b));
    return sums;
#else
    return reinterpret_cast<Sums>(multiply_add(a, b, reinterpret_cast<Vector>(sums)));
#endif
}

/// What to_bfloat16 makes of floats, in the upper halves of the bits.
TENON_INLINE UnsignedBits rounded_to_bfloat16(Vector values) {
    const auto bits = reinterpret_cast<UnsignedBits>(values);
    const UnsignedBits magnitude = bits & 0x7fffffffu;
    const UnsignedBits rounded = bits + 0x7fffu + ((bits >> 16) & 1u);
    const UnsignedBits number = magnitude > 0x7f800000u ? bits | 0x400000u : rounded;
    return (magnitude < 0x00800000u ? bits & 0x80000000u : number) & 0xffff0000u;
}

#if TENON_MULTIPLIES_BFLOAT16

/// sums + the products of the upper numbers, and then of the lower ones. Sums are floats, in a vector of bits.
TENON_INLINE Sums add_products(Sums sums, Sums a, Sums b) {
    asm("vdpbf16ps %2, %1, %0" : "+v"(sums) : "v"(a), "v"(b));
    return sums;
}

/// Stores floats rounded to bfloat16, channel after channel, `lane` channels after the start of a block.
TENON_INLINE void store_bfloat16(float* block, int lane, Vector value) {
    Shorts packed;
    asm("vcvtneps2bf16 %1, %0" : "=v"(packed) : "v"(value));
    std::memcpy(reinterpret_cast<char*>(block) + 2 * lane, &packed, sizeof packed);
}

/// Stores words of two floats each, rounded to bfloat16, to memory aligned to the vector.
TENON_INLINE void store_bfloat16_words(float* words, Vector lower, Vector upper) {
    struct Order {
        std::int16_t from[2 * vector_width]{};
    };
    static constexpr Order order = [] {  // alternately from the first half, the lower numbers, and from the second one
        Order numbers{};
        for (int i = 0; i < 2 * vector_width; ++i)
            numbers.from[i] = static_cast<std::int16_t>(i / 2 + i % 2 * vector_width);
        return numbers;
    }();
    Sums packed, in_order;
    std::memcpy(&in_order, &order, sizeof in_order);
    asm("vcvtne2ps2bf16 %1, %2, %0" : "=v"(packed) : "v"(lower), "v"(upper));
    asm("vpermw %1, %2, %0" : "=v"(packed) : "v"(packed), "v"(in_order));
    store_words(words, packed);
}

/// The numbers that store_bfloat16 stored, as floats.
TENON_INLINE Vector load_bfloat16(const float* block, int lane) {
    const char* const from = reinterpret_cast<const char*>(block) + 2 * lane;
    return lower_numbers(widen(reinterpret_cast<const Shorts*>(from)));
}

#else

/// Stores floats rounded to bfloat16, as floats. The NaNs of arithmetic, whose lower half is zero, stay NaNs.
TENON_INLINE void store_bfloat16(float* block, int lane, Vector value) {
    const auto bits = reinterpret_cast<UnsignedBits>(value);
    const UnsignedBits rounded = (bits + 0x7fffu + ((bits >> 16) & 1u)) & 0xffff0000u;
    store(block + lane, reinterpret_cast<Vector>(rounded));
}

TENON_INLINE Vector load_bfloat16(const float* block, int lane) { return load(block + lane); }

#endif

#pragma GCC diagnostic pop

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::cpu
