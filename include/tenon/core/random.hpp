#pragma once
// IWYU pragma: private, include <tenon/inference.hpp>

// Counter-based random numbers: pure functions of (seed, stream, index), so they are the same in any order and on any
// number of threads, and a test in another language can draw them too.

#include <cstdint>
#include <string_view>

#include <tenon/core/isa.hpp>

namespace tenon::detail {
inline namespace TENON_ISA_NAMESPACE {

/// The odd constant nearest to 2^64 divided by the golden ratio: the step between two counters.
inline constexpr std::uint64_t golden_step = 0x9E3779B97F4A7C15;

/// The finalizer of splitmix64: a bijection of 64 bits that lets each bit of the result depend on each bit of `bits`.
/// `mix(0)` is 0.
constexpr std::uint64_t mix(std::uint64_t bits) {
    bits = (bits ^ (bits >> 30)) * 0xBF58476D1CE4E5B9;
    bits = (bits ^ (bits >> 27)) * 0x94D049BB133111EB;
    return bits ^ (bits >> 31);
}

/// The 64-bit FNV-1a hash of a name's bytes; 0xCBF29CE484222325 for the empty name.
constexpr std::uint64_t hash_name(std::string_view name) {
    std::uint64_t hash = 0xCBF29CE484222325;
    for (const char character : name) hash = (hash ^ static_cast<unsigned char>(character)) * 0x100000001B3;
    return hash;
}

/// Element `index` of the random sequence that belongs to `seed` and `stream`: 64 bits. The sequence of one seed and
/// stream is splitmix64's, started at `stream ^ (seed * golden_step)`. A named tensor's stream is `hash_name(name)`.
constexpr std::uint64_t random_bits(std::uint64_t seed, std::uint64_t stream, std::uint64_t index) {
    return mix((stream ^ (seed * golden_step)) + (index + 1) * golden_step);
}

/// A number in [low, high) from the 24 highest of 64 random bits: `low + (high - low) * k / 2^24` for an integer k,
/// computed in double. With 24 bits a number in [0, 1) is exact as a float too.
constexpr double uniform(std::uint64_t bits, double low, double high) {
    // The product is rounded before the exact scaling by 2^-24, so a compiler that contracts the scaling and the sum
    // into one fused multiply-add still gives the same value.
    return low + ((high - low) * static_cast<double>(bits >> 40)) * 0x1p-24;
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::detail
