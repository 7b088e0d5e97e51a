#pragma once
// IWYU pragma: private, include <tenon/network.hpp>

// The instruction set a translation unit is compiled for, as an inline namespace.
//
// Law: two translation units compiled with different -march never share a symbol of the library that holds machine
// code or leads to it over addresses, so linking them cannot violate the one-definition rule, nor run AVX-512 code on a
// machine that lacks it. (test: tests/package/one_definition). So functions that exist at run time, tables of their
// addresses and the programs of networks, which point to the code of a user's function (Elementwise), are inside
// TENON_ISA_NAMESPACE. Layers, networks and the types of programs hold no machine code and are outside it, so a network
// is one type in all translation units.

#if defined(__AVX512F__) && defined(__AVX512DQ__) && defined(__AVX512BW__) && defined(__AVX512VL__) && defined(__FMA__)
// Intel's processors multiply bfloat16 at half the rate of floats (docs/design/measurements.md), AMD's at twice that
// rate: code for Intel's does without the instruction. Clang says corei7 for all of these.
#if defined(__AVX512BF16__) && defined(__AVX512VNNI__) && !defined(__cooperlake__) && !defined(__sapphirerapids__) && \
    !defined(__graniterapids__) && !defined(__corei7__)
#define TENON_ISA_NAMESPACE avx512bf16
#define TENON_MULTIPLIES_BFLOAT16 1
#elif defined(__AVX512VNNI__)
#define TENON_ISA_NAMESPACE avx512vnni
#else
#define TENON_ISA_NAMESPACE avx512
#endif
#elif defined(__AVX512F__)
#define TENON_ISA_NAMESPACE avx512f
#elif defined(__AVX2__) && defined(__FMA__)
#if defined(__AVXVNNI__)
#define TENON_ISA_NAMESPACE avxvnni
#else
#define TENON_ISA_NAMESPACE avx2
#endif
#elif defined(__AVX__)
#define TENON_ISA_NAMESPACE avx
#elif defined(__SSE4_1__)
#define TENON_ISA_NAMESPACE sse4
#elif defined(__ARM_NEON)
#define TENON_ISA_NAMESPACE neon
#else
#define TENON_ISA_NAMESPACE generic
#endif

#ifndef TENON_MULTIPLIES_BFLOAT16
#define TENON_MULTIPLIES_BFLOAT16 0
#endif

#define TENON_ISA_STRING_(name) #name
#define TENON_ISA_STRING(name) TENON_ISA_STRING_(name)

namespace tenon::detail {

/// The name of the instruction set this translation unit is compiled for: "avx512bf16", "avx512vnni", "avx512", "avx2",
/// "neon", "generic" (SSE2 on x86-64) or one in between.
inline namespace TENON_ISA_NAMESPACE {
inline constexpr const char* isa_name = TENON_ISA_STRING(TENON_ISA_NAMESPACE);
}

}  // namespace tenon::detail
