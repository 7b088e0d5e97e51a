#pragma once
// IWYU pragma: private, include <tenon/inference.hpp>

// The register tile of convolutions of packed numbers: several output pixels x one panel of output channels, all sums
// in registers, as in kernels/tile.hpp; a word holds the numbers of 2 or 4 channels.

#include <tenon/backend/cpu/quantized/result.hpp>

namespace tenon::cpu {

inline namespace TENON_ISA_NAMESPACE {

/// Adds the products of a word of weights with the word of each pixel.
template <QuantizedTileSpec S>
TENON_INLINE void add_words(Sums (&sums)[array_bound<S.pixels>][array_bound<S.blocks * vectors_per_block>],
                            const float* pixels, const float* weights) {
    constexpr int vectors = S.blocks * vectors_per_block;
    Sums w[array_bound<vectors>];
    TENON_UNROLL for (int v = 0; v < vectors; ++v) w[v] = load_words(weights + v * vector_width);
    TENON_UNROLL for (int p = 0; p < S.pixels; ++p) {
        const Sums pixel = broadcast_word(S.in_source(pixels, p));
        TENON_UNROLL for (int v = 0; v < vectors; ++v) {
#if TENON_MULTIPLIES_BFLOAT16
            if constexpr (S.bfloat16) sums[p][v] = add_products(sums[p][v], pixel, w[v]);
#endif
#if TENON_HAS_DOT4
            if constexpr (S.bytes) sums[p][v] = add_dot4(sums[p][v], pixel, w[v]);
#endif
            if constexpr (!S.bfloat16 && !S.bytes) sums[p][v] = add_dot2(sums[p][v], pixel, w[v]);
        }
    }
}

/// The same where pixels are floats and weights are words of two bfloat16 numbers, for the pixels' upper channel or the
/// lower one.
template <QuantizedTileSpec S, bool Upper>
TENON_INLINE void add_half_words(Sums (&sums)[array_bound<S.pixels>][array_bound<S.blocks * vectors_per_block>],
                                 const float* pixels, const float* weights) {
    constexpr int vectors = S.blocks * vectors_per_block;
    Vector w[array_bound<vectors>];
    TENON_UNROLL for (int v = 0; v < vectors; ++v) {
        const float* const words = weights + v * vector_width;
        w[v] = Upper ? load_upper_numbers(words) : load_lower_numbers(words);
    }
    TENON_UNROLL for (int p = 0; p < S.pixels; ++p) {
        const Vector pixel = broadcast(*S.in_source(pixels, p));
        TENON_UNROLL for (int v = 0; v < vectors; ++v) sums[p][v] = add_exact_products(sums[p][v], pixel, w[v]);
    }
}

/// Adds the products of a tile's pixels with a panel of weights: plane by plane, tap by tap, word by word. Where words
/// of bfloat16 are stored as floats, two planes hold what one would hold, and are one in this order: sums have the same
/// bits either way.
template <QuantizedTileSpec S>
TENON_INLINE void accumulate_words(Sums (&sums)[array_bound<S.pixels>][array_bound<S.blocks * vectors_per_block>],
                                   const QuantizedTileArguments& a, const float* source, const float*& next_weights) {
    constexpr bool in_floats = S.in_floats(), by_planes = in_floats && !S.interleaved;
    // Words of weights in a turn of the inner loop, and words of a pixel for one of weights.
    constexpr int step = S.interleaved ? 1 : 4, pack = in_floats ? 2 : 1;
    const float *weights = a.weights, *next = next_weights;
    const auto run = [&](const float* tap, int words) {
        const float* part = tap;
        int words_left = words;
        do {
            const float* pixels = part;
            const float* const end = part + (by_planes ? channel_block : pack * words);
            do {
#if !defined(__clang__)
                asm("" : "+r"(pixels));  // see accumulate in kernels/tile.hpp
#endif
                TENON_UNROLL for (int k = 0; k < step; ++k) {
                    prefetch<2>(next);
                    next += a.next_stride;
                    if constexpr (in_floats) {
                        add_half_words<S, true>(sums, pixels + 1, weights);
                        add_half_words<S, false>(sums, pixels, weights);
                    } else {
                        add_words<S>(sums, pixels, weights);
                    }
                    pixels += pack;
                    weights += S.blocks * channel_block;
                }
            } while (pixels != end);
            part += a.next_plane;
            words_left -= channel_block;
        } while (by_planes && words_left > 0);
    };
    // Loops that run at least once: with some that may not, GCC keeps sums in two sets of places.
    const float* plane = source;
    int planes_left = a.planes;
    do {
#if !defined(__clang__)
        asm("" : "+r"(planes_left));  // or GCC writes the last plane's loops once more
#endif
        const int words = planes_left > 1 ? a.words : a.last_words;
        if constexpr (S.pointwise) {
            run(plane, words);
        } else {
            const float* row = plane;
            int rows_left = a.kernel_height;
            do {
                const float* tap = row;
                int taps_left = a.kernel_width;
                do {
                    run(tap, words);
                    tap += a.tap_column;
                } while (--taps_left > 0);
                row += a.tap_row;
            } while (--rows_left > 0);
        }
        plane += a.plane;
    } while (--planes_left > 0);
    next_weights = next;
}

/// Computes and stores some tiles that follow each other in a row.
template <QuantizedTileSpec S>
[[gnu::noinline]] void quantized_tile(const QuantizedTileArguments& a) {
    constexpr int vectors = S.blocks * vectors_per_block;
    const float *source = a.source, *next = a.next_weights;
    const int wrap = a.wrap, width = a.width, pixels = a.tiles * S.pixels;
    int moved = 0;  // pixels from the first tile
    do {
        Sums sums[array_bound<S.pixels>][array_bound<vectors>];
        TENON_UNROLL for (int p = 0; p < S.pixels; ++p) {
            TENON_UNROLL for (int v = 0; v < vectors; ++v) {
                sums[p][v] = zero_sums();
                if constexpr (S.residual_column != 0 && S.residual == Storage::f32 && vectors_per_block == 1)
                    prefetch(a.residual.at + moved * S.residual_column + v * a.residual.plane +
                             S.offset(p, S.residual_column, S.residual_row));
            }
        }
        accumulate_words<S>(sums, a, source, next);
        // Sums are in registers here: what follows, where rows end in a tile, had GCC keep some in memory in the loop.
        Sums complete[array_bound<S.pixels>][array_bound<vectors>];
        TENON_UNROLL for (int p = 0; p < S.pixels; ++p) {
            TENON_UNROLL for (int v = 0; v < vectors; ++v) complete[p][v] = in_register(sums[p][v]);
        }
        TENON_UNROLL for (int block = 0; block < S.blocks; ++block) {
            const QuantizedResult<S> result{a, block};
            TENON_UNROLL for (int p = 0; p < S.pixels; ++p) {
                const auto place = [&](const QuantizedPlace& at, int column, int row) {
                    return at.at + moved * column + S.offset(p, column, row) +
                           (S.crossings > 0 && p >= wrap ? at.gap : 0) +
                           (S.crossings > 1 && p >= wrap + width ? at.gap : 0);
                };
                result.finish(&complete[p][block * vectors_per_block], place);
            }
        }
        source = S.after_tile(source);
        moved += S.pixels;
    } while (S.repeats() && moved < pixels);
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::cpu
