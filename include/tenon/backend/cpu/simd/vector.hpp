#pragma once
// IWYU pragma: private, include <tenon/inference.hpp>

// The dozen vector operations that kernels are written in, over Eigen's packets: the widest vector of floats that this
// translation unit may use.

#include <Eigen/Core>

#include <tenon/core/index.hpp>
#include <tenon/core/isa.hpp>

#if defined(__clang__)
#define TENON_UNROLL _Pragma("unroll")
#else
#define TENON_UNROLL _Pragma("GCC unroll 64")
#endif
#define TENON_INLINE [[gnu::always_inline]] inline

namespace tenon::cpu {
inline namespace TENON_ISA_NAMESPACE {

/// A vector of `vector_width` floats in a register.
using Vector = Eigen::internal::packet_traits<float>::type;

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wignored-attributes"  // GCC's, of vector types as template arguments

/// Floats in a vector: 16 with AVX-512, 8 with AVX2, 4 with SSE and NEON.
inline constexpr int vector_width = Eigen::internal::unpacket_traits<Vector>::size;

/// Channels that are adjacent in memory: the C of NCHW16c. The same on every instruction set.
inline constexpr int channel_block = 16;

/// Vectors that hold the channels of one block.
inline constexpr int vectors_per_block = channel_block / vector_width;
static_assert(channel_block % vector_width == 0);

/// Loads from memory aligned to the vector.
TENON_INLINE Vector load(const float* from) { return Eigen::internal::pload<Vector>(from); }
/// Stores to memory aligned to the vector.
TENON_INLINE void store(float* to, Vector value) { Eigen::internal::pstore(to, value); }
/// The same float in all elements.
TENON_INLINE Vector broadcast(float value) { return Eigen::internal::pset1<Vector>(value); }
TENON_INLINE Vector zero() { return Eigen::internal::pset1<Vector>(0.0f); }
TENON_INLINE Vector add(Vector a, Vector b) { return Eigen::internal::padd(a, b); }
TENON_INLINE Vector subtract(Vector a, Vector b) { return Eigen::internal::psub(a, b); }
TENON_INLINE Vector multiply(Vector a, Vector b) { return Eigen::internal::pmul(a, b); }
/// a * b + c, rounded once where the machine has a fused multiply-add.
TENON_INLINE Vector multiply_add(Vector a, Vector b, Vector c) { return Eigen::internal::pmadd(a, b, c); }
/// The larger of each two elements; NaN where either is NaN.
TENON_INLINE Vector maximum(Vector a, Vector b) {
#if defined(__AVX512F__)
    const Vector larger = _mm512_maskz_max_ps(static_cast<__mmask16>(-1), a, b);  // b where one is NaN
    return _mm512_mask_mov_ps(larger, _mm512_cmp_ps_mask(a, a, _CMP_UNORD_Q), a);
#else
    return Eigen::internal::pmax<Eigen::PropagateNaN>(a, b);
#endif
}
/// max(a, 0); NaN stays NaN, as in torch.
TENON_INLINE Vector relu(Vector a) {
#if defined(__AVX512F__)
    // The second operand is the result when one is NaN. (With the plain intrinsic, GCC 12 warns of an uninitialized
    // value.)
    return _mm512_maskz_max_ps(static_cast<__mmask16>(-1), _mm512_setzero_ps(), a);
#elif defined(__AVX__)
    return _mm256_max_ps(_mm256_setzero_ps(), a);
#elif defined(__SSE__)
    return _mm_max_ps(_mm_setzero_ps(), a);
#else
    return Eigen::internal::pmax<Eigen::PropagateNaN>(a, zero());
#endif
}
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
