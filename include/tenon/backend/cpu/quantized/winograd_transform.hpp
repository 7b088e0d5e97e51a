#pragma once
// IWYU pragma: private, include <tenon/inference.hpp>

// The transforms of F(4x4, 3x3) on integers: of windows of codes in 16 bits, and of sums of products modulo 2^32 back
// to sums of 32 bits (winograd_plan.hpp has the numbers).

#include <tenon/backend/cpu/quantized/winograd_plan.hpp>

namespace tenon::cpu {
inline namespace TENON_ISA_NAMESPACE {

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wignored-attributes"

/// The words of a vector, as 16-bit integers: two channels in each.
using WordHalves [[gnu::vector_size(4 * vector_width), gnu::may_alias]] = short;

TENON_INLINE void transform_codes(const WordHalves (&d)[6], WordHalves (&t)[6]) {
    const WordHalves even = d[4] - (d[2] << 2), odd = d[3] - (d[1] << 2);
    const WordHalves even2 = d[4] - d[2], odd2 = (d[3] - d[1]) << 1;
    t[0] = (d[0] << 2) + (even - d[2]);
    t[1] = even + odd;
    t[2] = even - odd;
    t[3] = even2 + odd2;
    t[4] = even2 - odd2;
    t[5] = d[5] - d[3] - (odd2 << 1);
}

/// Transforms one window of vectors of codes, rows `row` words apart, and stores its points `point` words apart.
TENON_HOT inline void transform_window_of_codes(const float* corner, long row, float* out, long point) {
    WordHalves columns[6][6];
    TENON_UNROLL for (int x = 0; x < 6; ++x) {
        WordHalves line[6], t[6];
        TENON_UNROLL for (int y = 0; y < 6; ++y) line[y] =
            *reinterpret_cast<const WordHalves*>(corner + y * row + x * channel_block);
        transform_codes(line, t);
        TENON_UNROLL for (int y = 0; y < 6; ++y) columns[y][x] = t[y];
    }
    TENON_UNROLL for (int y = 0; y < 6; ++y) {
        WordHalves t[6];
        transform_codes(columns[y], t);
        TENON_UNROLL for (int x = 0; x < 6; ++x) * reinterpret_cast<WordHalves*>(out + (6 * y + x) * point) = t[x];
    }
}

/// Outputs times 24, 12, 6 and 6, modulo 2^32.
TENON_INLINE void transform_sums(const UnsignedBits (&m)[6], UnsignedBits (&y)[4]) {
    const UnsignedBits sum1 = m[1] + m[2], difference1 = m[1] - m[2];
    const UnsignedBits sum2 = m[3] + m[4], difference2 = m[3] - m[4];
    y[0] = m[0] + (sum1 << 2) + sum2;
    y[1] = (difference1 << 1) + difference2;
    y[2] = sum1 + sum2;
    y[3] = difference1 + (difference2 << 1) + m[5];
}

/// Transforms the points of one tile back into 4 x 4 sums.
TENON_INLINE void transform_products_of_codes(const float* products, long point, Sums (&sums)[4][4]) {
    constexpr unsigned inverse_of_9 = 0x38e38e39;
    static_assert(9 * inverse_of_9 == 1);
    constexpr int halvings[4] = {3, 2, 1, 1};  // 24 = 3 * 2^3, 12 = 3 * 2^2, 6 = 3 * 2
    UnsignedBits columns[4][6];
    TENON_UNROLL for (int x = 0; x < 6; ++x) {
        UnsignedBits line[6], y[4];
        TENON_UNROLL for (int i = 0; i < 6; ++i) line[i] =
            reinterpret_cast<UnsignedBits>(load_words(products + (6 * i + x) * point));
        transform_sums(line, y);
        TENON_UNROLL for (int i = 0; i < 4; ++i) columns[i][x] = y[i];
    }
    TENON_UNROLL for (int i = 0; i < 4; ++i) {
        UnsignedBits y[4];
        transform_sums(columns[i], y);
        TENON_UNROLL for (int j = 0; j < 4; ++j) sums[i][j] =
            reinterpret_cast<Sums>(y[j] * inverse_of_9) >> (halvings[i] + halvings[j]);
    }
}

#pragma GCC diagnostic pop

/// How a convolution of bytes is computed.
struct IntegerWinograd {
    static constexpr int m = 4;
    static constexpr bool bfloat16 = false;
    static constexpr int chunk_words = winograd_chunk_words;

    TENON_INLINE static void transform_window(const float* corner, long row, float* out, long point) {
        transform_window_of_codes(corner, row, out, point);
    }
    TENON_INLINE static void transform_back(const float* products, long point, Sums (&sums)[4][4]) {
        transform_products_of_codes(products, point, sums);
    }
};

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::cpu
