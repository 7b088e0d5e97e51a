#pragma once
// IWYU pragma: private, include <tenon/inference.hpp>

// The transforms of F(2x2, 3x3) in bfloat16: of windows of rounded numbers, whose points are computed in floats and
// rounded once, and of sums of products in floats.

#include <tenon/backend/cpu/quantized/bfloat16.hpp>
#include <tenon/backend/cpu/quantized/winograd_plan.hpp>

namespace tenon::cpu {
inline namespace TENON_ISA_NAMESPACE {

/// The numbers of a vector of words, as floats: where words hold two, the lower and the upper ones, else one vector.
struct Bfloat16Numbers {
    static constexpr int parts = pack_of(Storage::bf16);
    Vector part[array_bound<parts>];

    TENON_INLINE static Bfloat16Numbers load(const float* words) {
#if TENON_MULTIPLIES_BFLOAT16
        return {{lower_numbers(load_words(words)), upper_numbers(load_words(words))}};
#else
        return {{cpu::load(words)}};
#endif
    }

    /// Rounds and stores.
    TENON_INLINE void store(float* words) const {
#if TENON_MULTIPLIES_BFLOAT16
        store_bfloat16_words(words, part[0], part[1]);
#else
        store_bfloat16(words, 0, part[0]);
#endif
    }

    TENON_INLINE friend Bfloat16Numbers operator+(const Bfloat16Numbers& a, const Bfloat16Numbers& b) {
        Bfloat16Numbers sum;
        TENON_UNROLL for (int i = 0; i < parts; ++i) sum.part[i] = add(a.part[i], b.part[i]);
        return sum;
    }
    TENON_INLINE friend Bfloat16Numbers operator-(const Bfloat16Numbers& a, const Bfloat16Numbers& b) {
        Bfloat16Numbers difference;
        TENON_UNROLL for (int i = 0; i < parts; ++i) difference.part[i] = subtract(a.part[i], b.part[i]);
        return difference;
    }
};

/// How a convolution in bfloat16 is computed.
struct Bfloat16Winograd {
    static constexpr int m = 2;
    static constexpr bool bfloat16 = true;
    static constexpr int chunk_words = 0;  ///< all words are summed up at once

    /// Transforms one window of vectors of words, rows `row` words apart, and stores its points `point` words apart.
    /// A row of points is of two rows of the window: all four rows would not fit into registers.
    TENON_HOT static void transform_window(const float* corner, long row, float* out, long point) {
        constexpr int first[4] = {0, 1, 2, 1}, second[4] = {2, 2, 1, 3};
        TENON_UNROLL for (int i = 0; i < 4; ++i) {
            Bfloat16Numbers d[4];
            TENON_UNROLL for (int x = 0; x < 4; ++x) {
                const auto a = Bfloat16Numbers::load(corner + first[i] * row + x * channel_block);
                const auto b = Bfloat16Numbers::load(corner + second[i] * row + x * channel_block);
                d[x] = i == 1 ? a + b : a - b;
            }
            (d[0] - d[2]).store(out + (4 * i + 0) * point);
            (d[1] + d[2]).store(out + (4 * i + 1) * point);
            (d[2] - d[1]).store(out + (4 * i + 2) * point);
            (d[1] - d[3]).store(out + (4 * i + 3) * point);
        }
    }

    /// Transforms the points of one tile back into 2 x 2 sums.
    TENON_INLINE static void transform_back(const float* products, long point, Sums (&sums)[2][2]) {
        Vector rows[2][4];
        TENON_UNROLL for (int x = 0; x < 4; ++x) {
            Vector column[4];
            TENON_UNROLL for (int i = 0; i < 4; ++i) column[i] = load(products + (4 * i + x) * point);
            rows[0][x] = add(add(column[0], column[1]), column[2]);
            rows[1][x] = subtract(subtract(column[1], column[2]), column[3]);
        }
        TENON_UNROLL for (int i = 0; i < 2; ++i) {
            const Vector(&row)[4] = rows[i];
            sums[i][0] = reinterpret_cast<Sums>(add(add(row[0], row[1]), row[2]));
            sums[i][1] = reinterpret_cast<Sums>(subtract(subtract(row[1], row[2]), row[3]));
        }
    }
};

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::cpu
