#pragma once
// IWYU pragma: private, include <tenon/inference.hpp>

// The dozen vector operations that kernels are written in, over the compilers' own vectors: the widest vector of floats
// that this translation unit may use. Neither Eigen's packets nor the headers of intrinsics are included: these are
// 70,000 lines, which every program would read, for fewer operations than this file has.

#include <tenon/backend/cpu/layout/channel_block.hpp>
#include <tenon/core/index.hpp>
#include <tenon/core/isa.hpp>

#if defined(__clang__)
#define TENON_UNROLL _Pragma("unroll")
#else
#define TENON_UNROLL _Pragma("GCC unroll 64")
#endif
#define TENON_INLINE [[gnu::always_inline]] inline

/// Before a kernel's innermost function: GCC optimizes it also in a file that is compiled without optimization, where a
/// network then takes about a third of the time. It changes nothing in other files; Clang has no such attribute.
#if defined(__GNUC__) && !defined(__clang__) && !defined(__OPTIMIZE__)
#define TENON_HOT [[gnu::optimize("O2")]]
#else
#define TENON_HOT
#endif

namespace tenon::cpu {
inline namespace TENON_ISA_NAMESPACE {

/// Floats in a vector: 16 with AVX-512, 8 with AVX, 4 with SSE and NEON.
#if defined(__AVX512F__)
inline constexpr int vector_width = 16;
#elif defined(__AVX__)
inline constexpr int vector_width = 8;
#else
inline constexpr int vector_width = 4;
#endif

/// A vector of `vector_width` floats in a register. May alias, as it reads and writes arrays of floats.
using Vector [[gnu::vector_size(4 * vector_width), gnu::may_alias]] = float;
/// The bits of a vector.
using VectorBits [[gnu::vector_size(4 * vector_width), gnu::may_alias]] = int;

// What the compilers' functions for AVX-512 take as a mask and as a way to round.
#if defined(__clang__)
inline constexpr unsigned short all_lanes = 0xffff;
#else
inline constexpr short all_lanes = -1;
#endif
inline constexpr int rounds_as_usual = 4;

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wignored-attributes"  // GCC's, of vector types as template arguments

/// Vectors that hold the channels of one block.
inline constexpr int vectors_per_block = channel_block / vector_width;
static_assert(channel_block % vector_width == 0);

/// Loads from memory aligned to the vector.
TENON_INLINE Vector load(const float* from) { return *reinterpret_cast<const Vector*>(from); }
/// Stores to memory aligned to the vector.
TENON_INLINE void store(float* to, Vector value) { *reinterpret_cast<Vector*>(to) = value; }
TENON_INLINE Vector zero() { return Vector{}; }
/// The same float in all elements: an operand beside a vector becomes one. Compilers make that of it at any level of
/// optimization, as x - 0 is x, also where x is -0 or NaN. With GCC's -frounding-math they do subtract, and where sums
/// are rounded downward, 0 becomes -0.
TENON_INLINE Vector broadcast(float value) { return value - Vector{}; }
TENON_INLINE Vector add(Vector a, Vector b) { return a + b; }
TENON_INLINE Vector subtract(Vector a, Vector b) { return a - b; }
TENON_INLINE Vector multiply(Vector a, Vector b) { return a * b; }
/// a * b + c, rounded once where the machine has a fused multiply-add, with -ffp-contract=off too.
TENON_INLINE Vector multiply_add(Vector a, Vector b, Vector c) {
#if defined(__AVX512F__) && (!defined(__clang__) || !__has_builtin(__builtin_elementwise_fma))
    return __builtin_ia32_vfmaddps512_mask(a, b, c, all_lanes, rounds_as_usual);
#elif defined(__FMA__) && defined(__clang__) && !defined(__AVX512F__)
    // Left to itself, Clang overwrites a factor instead of the sum, and copies registers for it.
    asm("vfmadd231ps %[b], %[a], %[c]" : [c] "+x"(c) : [a] "x"(a), [b] "x"(b));
    return c;
#elif defined(__FMA__) && !defined(__clang__)
    return __builtin_ia32_vfmaddps256(a, b, c);
#elif defined(__clang__) && (defined(__FMA__) || defined(__aarch64__)) && __has_builtin(__builtin_elementwise_fma)
    return __builtin_elementwise_fma(a, b, c);
#elif defined(__aarch64__) && !defined(__clang__)
    return __builtin_aarch64_fmav4sf(a, b, c);
#else
#if defined(__clang__)
#pragma clang fp contract(fast)
#endif
    return a * b + c;
#endif
}
/// The larger of each two elements; b where they are equal or either is NaN: x86's maximum.
TENON_INLINE Vector above_or_second(Vector a, Vector b) {
#if defined(__AVX512F__) && defined(__clang__)
    return __builtin_ia32_maxps512(a, b, rounds_as_usual);
#elif defined(__AVX512F__)
    return __builtin_ia32_maxps512_mask(a, b, Vector{}, all_lanes, rounds_as_usual);
#elif defined(__AVX__)
    return __builtin_ia32_maxps256(a, b);
#elif defined(__SSE__)
    return __builtin_ia32_maxps(a, b);
#else
    return a > b ? a : b;
#endif
}
/// The larger of each two elements; NaN where either is NaN.
TENON_INLINE Vector maximum(Vector a, Vector b) {
    return a == a ? above_or_second(a, b) : a;  // NOLINT(misc-redundant-expression): not for NaN
}
/// max(a, 0); NaN stays NaN, as in torch.
TENON_INLINE Vector relu(Vector a) { return above_or_second(zero(), a); }
/// Prefetches the cache line at an address that will be read; `locality` 3 is the first-level cache, 2 the second.
template <int Locality = 3>
TENON_INLINE void prefetch(const float* address) {
    __builtin_prefetch(address, 0, Locality);
}
/// The same for a line that will be written.
TENON_INLINE void prefetch_to_write(const float* address) { __builtin_prefetch(address, 1); }

#pragma GCC diagnostic pop

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::cpu
