#pragma once
// IWYU pragma: private, include <tenon/inference.hpp>

// Vectors of 32-bit sums, and what adds products of small integers to them. Everything here has the same bits on every
// instruction set: sums are exact, and where floats are multiplied and added the product is rounded first.

#include <cstdint>
#include <cstring>
#include <type_traits>

#include <tenon/backend/cpu/simd/vector.hpp>

#if (defined(__AVX512VNNI__) && defined(__AVX512BW__)) || (defined(__AVXVNNI__) && !defined(__AVX512F__))
#define TENON_HAS_DOT4 1
#else
#define TENON_HAS_DOT4 0
#endif

namespace tenon::cpu {

/// How the numbers of a value are stored: as 32-bit floats, as 16-bit integers of either sign, as integers 0 to 255, as
/// integers -127 to 127 with 128 added (VNNI's instruction multiplies bytes without a sign), or as the upper halves of
/// 32-bit floats (quantized/bfloat16.hpp).
enum class Storage : char { f32, s16, u8, bf16, s8 };

/// What zero is stored as.
constexpr int zero_code(Storage storage) { return storage == Storage::s8 ? 128 : 0; }

inline namespace TENON_ISA_NAMESPACE {

/// Whether four products of 8-bit numbers are added at once (VNNI). Elsewhere numbers from 0 to 255 take 16 bits and
/// two products are added at once, which needs no saturation either: 255 * 127 * 2 is far below 2^31, whereas AVX2's
/// sums of two 8-bit products saturate at 2^15.
inline constexpr bool has_dot4 = TENON_HAS_DOT4 != 0;

/// Whether products of bfloat16 are those of the machine's own instruction, on words with two numbers each. Elsewhere
/// these numbers are stored as floats, which are multiplied as fast as others, and only weights are packed.
inline constexpr bool multiplies_bfloat16 = TENON_MULTIPLIES_BFLOAT16 != 0;

/// Neighboring channels in a 32-bit word of a value.
constexpr int pack_of(Storage storage) {
    if (storage == Storage::f32 || (storage == Storage::bf16 && !multiplies_bfloat16)) return 1;
    return (storage == Storage::u8 || storage == Storage::s8) && has_dot4 ? 4 : 2;
}
/// The same in a word of the weights that it is multiplied with.
constexpr int weight_pack_of(Storage storage) { return storage == Storage::bf16 ? 2 : pack_of(storage); }
/// Words of a block of 16 channels.
constexpr int block_words(Storage storage) { return channel_block / pack_of(storage); }

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wignored-attributes"

/// As many 32-bit integers as a Vector has floats.
using Sums = VectorBits;
/// The same bits, for arithmetic modulo 2^32.
using UnsignedBits [[gnu::vector_size(4 * vector_width)]] = unsigned;

TENON_INLINE Sums zero_sums() { return Sums{}; }

/// The same sum, in a register.
TENON_INLINE Sums in_register(Sums sum) {
#if defined(__AVX512F__)
    asm("" : "+v"(sum));
#elif defined(__SSE2__)
    asm("" : "+x"(sum));
#endif
    return sum;
}

/// The 32-bit word at an address, in all elements.
TENON_INLINE Sums broadcast_word(const float* from) {
    std::int32_t word;
    std::memcpy(&word, from, sizeof word);
    return Sums{} + word;
}

/// Loads words from memory aligned to the vector.
TENON_INLINE Sums load_words(const float* from) { return *reinterpret_cast<const Sums*>(from); }
/// Stores words to memory aligned to the vector.
TENON_INLINE void store_words(float* to, Sums words) { *reinterpret_cast<Sums*>(to) = words; }

// Products and additions are written out: GCC 12 copies the sums of the intrinsics from register to register, and then
// spills them (test: backend.spills).

/// sums + the two products of 16-bit numbers in each word, modulo 2^32.
TENON_INLINE Sums add_dot2(Sums sums, Sums a, Sums b) {
#if defined(__AVX512VNNI__)
    asm("vpdpwssd %2, %1, %0" : "+v"(sums) : "v"(a), "v"(b));
    return sums;
#elif defined(__AVX512BW__)
    Sums products;
    asm("vpmaddwd %3, %2, %1\n\tvpaddd %1, %0, %0" : "+v"(sums), "=&v"(products) : "v"(a), "v"(b));
    return sums;
#elif defined(__AVX2__) && !defined(__AVX512F__)
    Sums products;
    asm("vpmaddwd %3, %2, %1\n\tvpaddd %1, %0, %0" : "+x"(sums), "=&x"(products) : "x"(a), "x"(b));
    return sums;
#elif defined(__SSE2__) && !defined(__AVX__)
    asm("pmaddwd %2, %1\n\tpaddd %1, %0" : "+x"(sums), "+x"(a) : "x"(b));
    return sums;
#else
    const Sums products = ((a << 16) >> 16) * ((b << 16) >> 16) + (a >> 16) * (b >> 16);
    return reinterpret_cast<Sums>(reinterpret_cast<UnsignedBits>(sums) + reinterpret_cast<UnsignedBits>(products));
#endif
}

#if TENON_HAS_DOT4
/// sums + the four products of an unsigned and a signed 8-bit number in each word.
TENON_INLINE Sums add_dot4(Sums sums, Sums unsigned_bytes, Sums signed_bytes) {
#if defined(__AVX512F__)
    asm("vpdpbusd %2, %1, %0" : "+v"(sums) : "v"(unsigned_bytes), "v"(signed_bytes));
#else
    asm("%{vex%} vpdpbusd %2, %1, %0" : "+x"(sums) : "x"(unsigned_bytes), "x"(signed_bytes));
#endif
    return sums;
}
#endif

/// a + b modulo 2^32.
TENON_INLINE Sums wrapping_sum(Sums a, Sums b) {
    return reinterpret_cast<Sums>(reinterpret_cast<UnsignedBits>(a) + reinterpret_cast<UnsignedBits>(b));
}

/// Sums as floats, rounded to the nearest even one where they have more than 24 bits.
TENON_INLINE Vector to_floats(Sums sums) { return __builtin_convertvector(sums, Vector); }

/// The nearest integers, even ones where two are as near, of floats between -2^22 and 2^22.
TENON_INLINE Sums to_integers(Vector floats) {
#if defined(__AVX512F__)
    Sums integers;
    asm("vcvtps2dq %1, %0" : "=v"(integers) : "v"(floats));
    return integers;
#elif defined(__AVX__)
    Sums integers;
    asm("vcvtps2dq %1, %0" : "=x"(integers) : "x"(floats));
    return integers;
#elif defined(__SSE2__)
    Sums integers;
    asm("cvtps2dq %1, %0" : "=x"(integers) : "x"(floats));
    return integers;
#else
    // The sum has no bits after the point, and its last 23 bits are the integer + 2^22.
    const Vector moved = add(floats, broadcast(12582912.0f));
    Sums bits;
    std::memcpy(&bits, &moved, sizeof bits);
    return bits - 0x4B400000;
#endif
}

/// a * b, rounded before it is used: the compiler may not fuse it with an addition, as not every machine could.
TENON_INLINE Vector rounded_product(Vector a, Vector b) {
    Vector product = multiply(a, b);
#if defined(__AVX512F__)
    asm("" : "+v"(product));
#elif defined(__SSE2__)
    asm("" : "+x"(product));
#elif defined(__ARM_NEON)
    asm("" : "+w"(product));
#else
    asm("" : "+m"(product));
#endif
    return product;
}

/// The smaller of each two elements; b where they are equal or either is NaN: x86's minimum.
TENON_INLINE Vector below_or_second(Vector a, Vector b) {
#if defined(__AVX512F__) && defined(__clang__)
    return __builtin_ia32_minps512(a, b, rounds_as_usual);
#elif defined(__AVX512F__)
    return __builtin_ia32_minps512_mask(a, b, Vector{}, all_lanes, rounds_as_usual);
#elif defined(__AVX__)
    return __builtin_ia32_minps256(a, b);
#elif defined(__SSE__)
    return __builtin_ia32_minps(a, b);
#else
    return a < b ? a : b;
#endif
}

/// x where it is within [low, high], else the nearer bound; `high` for a NaN.
TENON_INLINE Vector clamp(Vector x, float low, float high) {
    return above_or_second(below_or_second(x, broadcast(high)), broadcast(low));
}

/// As many integers of 8 or 16 bits as a Vector has floats.
using Bytes [[gnu::vector_size(vector_width), gnu::may_alias]] = unsigned char;
using Shorts [[gnu::vector_size(2 * vector_width), gnu::may_alias]] = short;
template <Storage S>
using PackedIntegers = std::conditional_t<pack_of(S) == 4, Bytes, Shorts>;

/// Integers of 8 or 16 bits in memory, as Sums. Written out, as GCC 12 widens sixteen bytes one by one, in some 18
/// cycles.
template <class Packed>
TENON_INLINE Sums widen(const Packed* from) {
#if defined(__AVX512F__)
    Sums integers;
    if constexpr (std::is_same_v<Packed, Bytes>)
        asm("vpmovzxbd %1, %0" : "=v"(integers) : "m"(*from));
    else
        asm("vpmovsxwd %1, %0" : "=v"(integers) : "m"(*from));
    return integers;
#elif defined(__AVX2__)
    Sums integers;
    if constexpr (std::is_same_v<Packed, Bytes>)
        asm("vpmovzxbd %1, %0" : "=x"(integers) : "m"(*from));
    else
        asm("vpmovsxwd %1, %0" : "=x"(integers) : "m"(*from));
    return integers;
#else
    Packed packed;
    std::memcpy(&packed, from, sizeof packed);
    return __builtin_convertvector(packed, Sums);
#endif
}

/// Stores integers that the storage holds, channel after channel, `lane` channels after the start of a block.
template <Storage S>
TENON_INLINE void store_packed(float* block, int lane, Sums integers) {
    char* const to = reinterpret_cast<char*>(block) + 4 / pack_of(S) * lane;
#if defined(__AVX512F__)
    if constexpr (std::is_same_v<PackedIntegers<S>, Shorts>) {
        asm("vpmovdw %1, %0" : "=m"(*reinterpret_cast<Shorts*>(to)) : "v"(integers));
        return;
    }
#elif defined(__AVX__)
    // GCC 12 would mask the integers, pack them with zeros and move the halves together.
    if constexpr (std::is_same_v<PackedIntegers<S>, Shorts>) {
        const auto packed = __builtin_ia32_packssdw128(__builtin_shufflevector(integers, integers, 0, 1, 2, 3),
                                                       __builtin_shufflevector(integers, integers, 4, 5, 6, 7));
        std::memcpy(to, &packed, sizeof packed);
        return;
    }
#endif
    const auto packed = __builtin_convertvector(integers, PackedIntegers<S>);
    std::memcpy(to, &packed, sizeof packed);
}

#if defined(__AVX2__) && !defined(__AVX512F__)
/// Stores 16 integers in 16 bits each, cut off at their limits: without a sign, or with one.
template <bool IsUnsigned>
TENON_INLINE void store_block_shorts(float* block, Sums first, Sums second) {
    using Halves [[gnu::vector_size(32), gnu::may_alias]] = long long;
    Halves packed;  // 0-3, 8-11, 4-7, 12-15
    if constexpr (IsUnsigned)
        packed = reinterpret_cast<Halves>(__builtin_ia32_packusdw256(first, second));
    else
        packed = reinterpret_cast<Halves>(__builtin_ia32_packssdw256(first, second));
    *reinterpret_cast<Halves*>(block) = __builtin_shufflevector(packed, packed, 0, 2, 1, 3);
}
#endif

/// The integers that store_packed stored, as floats.
template <Storage S>
TENON_INLINE Vector load_packed(const float* block, int lane) {
    const char* const from = reinterpret_cast<const char*>(block) + 4 / pack_of(S) * lane;
    return to_floats(widen(reinterpret_cast<const PackedIntegers<S>*>(from)));
}

#pragma GCC diagnostic pop

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::cpu
