#pragma once
// IWYU pragma: private, include <tenon/inference.hpp>

// Which numbers a plan packs, and how large codes may be.

#include <cstdint>
#include <limits>

#include <tenon/backend/cpu/quantized/vector.hpp>
#include <tenon/core/min_max.hpp>

namespace tenon::cpu {
inline namespace TENON_ISA_NAMESPACE {

/// What a plan stores.
enum class Packing : char {
    none,      ///< floats only: calibration
    integers,  ///< 8-bit integers, and 16-bit ones where values may be negative
    bfloat16,
};

/// The largest code of a weight: 7 bits, or 10 where the source has 16 bits and sums are short.
constexpr int weight_limit_of(Storage source, long depth) {
    return source == Storage::s16 && depth <= 1024 ? 1023 : 127;
}

/// The largest code of a source, such that no sum of `depth` products can exceed 32 bits. 0: there is none.
constexpr int code_limit_of(Storage source, long depth) {
    const long limit = std::numeric_limits<std::int32_t>::max() / (depth * weight_limit_of(source, depth));
    if (source == Storage::u8) return limit >= 255 ? 255 : 0;
    if (source == Storage::s8) return limit >= 255 ? 127 : 0;  // with 128 added codes reach 255
    return limit >= 255 ? static_cast<int>(std::min(limit, 32767L)) : 0;
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::cpu
