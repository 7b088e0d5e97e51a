#pragma once
// IWYU pragma: private, include <tenon/inference.hpp>

// The register tile of convolutions of packed numbers: several output pixels x one panel of output channels, all sums
// in registers, as in kernels/tile.hpp; a word holds the numbers of 2 or 4 channels.

#include <tenon/backend/cpu/machine.hpp>
#include <tenon/backend/cpu/quantized/bfloat16.hpp>
#include <tenon/backend/cpu/quantized/step.hpp>

namespace tenon::cpu {

/// Which form a tile's operand or result has, and the distances in words between its pixels: along a row, and between
/// rows where a tile has several. Scalars only, like all specs of kernels.
struct QuantizedTileSpec {
    int pixels = 1, rows = 1;               ///< output pixels in all, and the rows they are in
    int blocks = 1;                         ///< blocks of 16 output channels
    int source_column = 0, source_row = 0;  ///< between the windows of neighboring output pixels
    bool bytes = false;                     ///< the source is of bytes, four to a word
    bool bfloat16 = false;                  ///< the source is of bfloat16, and so are weights and all codes
    bool planar = false;
    int residual_column = 0, residual_row = 0;  ///< column 0: there is none
    Storage residual = Storage::f32;
    bool stores_target = false, stores_activated = false;
    Storage target_codes = Storage::f32, activated_codes = Storage::f32;  ///< f32: there are none
    int target_row = 0, target_codes_row = 0, activated_row = 0, activated_codes_row = 0;
    bool activates = false, only_target_codes = false, only_activated_codes = false;
    bool relu = false, activated_relu = false;
    int code_limit = 0, activated_limit = 0;
    int crossings = 0;  ///< row ends that the pixels may run over: at most 2

    constexpr int offset(int pixel, int column, int row) const {
        const int width = pixels / rows;
        return pixel / width * row + pixel % width * column;
    }
    /// Whether pixels are floats and weights are packed (see multiplies_bfloat16).
    constexpr bool in_floats() const { return bfloat16 && TENON_MULTIPLIES_BFLOAT16 == 0; }
};

inline namespace TENON_ISA_NAMESPACE {

/// Where a tile's part of a tensor is: its first pixel, the distance between planes, and, where tiles run over the ends
/// of rows, the words from the end of a row to the next.
struct QuantizedPlace {
    float* at = nullptr;
    int plane = 0, gap = 0;
};

/// The words from a panel's first block of channels to another one: a panel's blocks are in one plane of packed words.
constexpr int offset_of_block(const QuantizedPlace& place, Storage storage, int block) {
    return pack_of(storage) > 1 ? block * block_words(storage) : block * place.plane;
}

/// The addresses of a tile.
struct QuantizedTileArguments {
    const float* source;
    int planes, plane, words, last_words;  ///< words of a pixel in each plane, and in the last one
    int next_plane;                        ///< of floats, where a word of weights or a line of them is of two planes
    int kernel_height, kernel_width, tap_row, tap_column;
    const float* weights;
    const float* next_weights;  ///< prefetched into the second-level cache, `next_stride` words per step of the sums
    int next_stride;
    const float *factors, *shift, *scale, *activated_shift, *numbers;
    QuantizedPlace residual, target, target_codes, activated, activated_codes;
    int wrap, width;  ///< pixels up to the end of the row that the tile begins in, and pixels of a row
};

/// Adds the products of a word of weights with the word of each pixel.
template <QuantizedTileSpec S>
TENON_INLINE void add_words(Sums (&sums)[array_bound<S.pixels>][array_bound<S.blocks * vectors_per_block>],
                            const float* pixels, const float* weights) {
    constexpr int vectors = S.blocks * vectors_per_block;
    Sums w[array_bound<vectors>];
    TENON_UNROLL for (int v = 0; v < vectors; ++v) w[v] = load_words(weights + v * vector_width);
    TENON_UNROLL for (int p = 0; p < S.pixels; ++p) {
        const Sums pixel = broadcast_word(pixels + S.offset(p, S.source_column, S.source_row));
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
        const Vector pixel = broadcast(pixels[S.offset(p, S.source_column, S.source_row)]);
        TENON_UNROLL for (int v = 0; v < vectors; ++v) sums[p][v] = add_exact_products(sums[p][v], pixel, w[v]);
    }
}

/// Adds the products of a tile's pixels with a panel of weights: plane by plane, tap by tap, word by word. Where words
/// of bfloat16 are stored as floats, two planes hold what one would hold, and are one in this order: sums have the same
/// bits either way.
template <QuantizedTileSpec S>
TENON_INLINE void accumulate_words(Sums (&sums)[array_bound<S.pixels>][array_bound<S.blocks * vectors_per_block>],
                                   const QuantizedTileArguments& a) {
    constexpr bool in_floats = S.in_floats(), by_planes = in_floats && !S.planar;
    // Words of weights in a turn of the inner loop, and words of a pixel for one of weights.
    constexpr int step = S.planar ? 1 : 4, pack = by_planes ? 2 : 1;
    const float *plane = a.source, *weights = a.weights, *next = a.next_weights;
    for (int i = 0; i < a.planes; ++i, plane += a.plane) {
        const int words = i + 1 < a.planes ? a.words : a.last_words;
        const float* row = plane;
        for (int y = 0; y < a.kernel_height; ++y, row += a.tap_row) {
            const float* tap = row;
            for (int x = 0; x < a.kernel_width; ++x, tap += a.tap_column) {
                // Loops that run at least once: with some that may not, GCC keeps sums in two sets of places.
                const float* part = tap;
                int left = words;
                do {
                    const float* pixels = part;
                    const float* const end = part + (by_planes ? channel_block : words);
                    do {
#if !defined(__clang__)
                        asm("" : "+r"(pixels));  // see accumulate in kernels/tile.hpp
#endif
                        TENON_UNROLL for (int k = 0; k < step; ++k) {
                            prefetch<2>(next);
                            next += a.next_stride;
                            if constexpr (in_floats) {
                                add_half_words<S, true>(sums, pixels + (by_planes ? 1 : a.next_plane), weights);
                                add_half_words<S, false>(sums, pixels, weights);
                            } else {
                                add_words<S>(sums, pixels, weights);
                            }
                            pixels += pack;
                            weights += S.blocks * channel_block;
                        }
                    } while (pixels != end);
                    part += a.next_plane;
                    left -= channel_block;
                } while (by_planes && left > 0);
            }
        }
    }
}

/// Stores a result's codes: the nearest ones, of integers within the limits of the storage.
template <Storage Kind>
TENON_INLINE void store_codes(float* block, int lane, Vector in_codes, int limit) {
    if constexpr (Kind == Storage::bf16) return store_bfloat16(block, lane, in_codes);
    const float high = static_cast<float>(limit), low = Kind == Storage::u8 ? 0.0f : -high;
    store_packed<Kind>(block, lane, to_integers(clamp(in_codes, low, high)));
}

/// Codes as floats: of bfloat16, the values themselves.
template <Storage Kind>
TENON_INLINE Vector load_codes(const float* block, int lane) {
    if constexpr (Kind == Storage::bf16)
        return load_bfloat16(block, lane);
    else
        return load_packed<Kind>(block, lane);
}

/// Computes and stores one tile: sum * factor + shift + residual, and the rest of the epilogue (see Op). All of it is
/// rounded operation by operation, so that every instruction set has the same bits. In bfloat16 all factors are 1.
template <QuantizedTileSpec S>
[[gnu::noinline]] void quantized_tile(const QuantizedTileArguments& a) {
    constexpr int vectors = S.blocks * vectors_per_block;
    Sums sums[array_bound<S.pixels>][array_bound<vectors>];
    TENON_UNROLL for (int p = 0; p < S.pixels; ++p) {
        TENON_UNROLL for (int v = 0; v < vectors; ++v) {
            sums[p][v] = zero_sums();
            if constexpr (S.residual_column != 0 && S.residual == Storage::f32 && vectors_per_block == 1)
                prefetch(a.residual.at + v * a.residual.plane + S.offset(p, S.residual_column, S.residual_row));
        }
    }
    accumulate_words<S>(sums, a);

    const auto place = [&](const QuantizedPlace& at, int p, int column, int row) {
        return at.at + S.offset(p, column, row) + (S.crossings > 0 && p >= a.wrap ? at.gap : 0) +
               (S.crossings > 1 && p >= a.wrap + a.width ? at.gap : 0);
    };
    const auto number = [&](StepNumber which) { return broadcast(a.numbers[static_cast<int>(which)]); };
    TENON_UNROLL for (int v = 0; v < vectors; ++v) {
        const int block = v / vectors_per_block, lane = v % vectors_per_block * vector_width;
        const Vector shift = load(a.shift + v * vector_width);
        Vector factor = zero();
        if constexpr (!S.bfloat16) factor = load(a.factors + v * vector_width);
        Vector scale = zero(), activated_shift = zero();
        if constexpr (S.activates) {
            scale = load(a.scale + v * vector_width);
            activated_shift = load(a.activated_shift + v * vector_width);
        }
        TENON_UNROLL for (int p = 0; p < S.pixels; ++p) {
            Vector value;
            if constexpr (S.bfloat16)
                value = add(reinterpret_cast<Vector>(sums[p][v]), shift);
            else
                value = add(rounded_product(to_floats(sums[p][v]), factor), shift);
            if constexpr (S.residual_column != 0) {
                const float* const from = place(a.residual, p, S.residual_column, S.residual_row);
                Vector residual;
                if constexpr (S.residual == Storage::f32)
                    residual = load(from + block * a.residual.plane + lane);
                else
                    residual = load_codes<S.residual>(from + offset_of_block(a.residual, S.residual, block), lane);
                if constexpr (!S.bfloat16 && (S.residual != Storage::f32 || S.only_target_codes))
                    residual = rounded_product(residual, number(StepNumber::residual_factor));
                value = add(value, residual);
            }
            if constexpr (S.relu) value = relu(value);
            if constexpr (S.stores_target)
                store(place(a.target, p, channel_block, S.target_row) + block * a.target.plane + lane, value);
            if constexpr (S.target_codes != Storage::f32) {
                Vector in_codes = value;
                if constexpr (!S.only_target_codes && !S.bfloat16)
                    in_codes = multiply(value, number(StepNumber::target_inverse));
                store_codes<S.target_codes>(place(a.target_codes, p, channel_block, S.target_codes_row) +
                                                offset_of_block(a.target_codes, S.target_codes, block),
                                            lane, in_codes, S.code_limit);
            }
            if constexpr (S.activates) {
                value = add(rounded_product(value, scale), activated_shift);
                if constexpr (S.activated_relu) value = relu(value);
                if constexpr (S.stores_activated)
                    store(place(a.activated, p, channel_block, S.activated_row) + block * a.activated.plane + lane,
                          value);
                if constexpr (S.activated_codes != Storage::f32) {
                    if constexpr (!S.only_activated_codes && !S.bfloat16)
                        value = multiply(value, number(StepNumber::activated_inverse));
                    store_codes<S.activated_codes>(place(a.activated_codes, p, channel_block, S.activated_codes_row) +
                                                       offset_of_block(a.activated_codes, S.activated_codes, block),
                                                   lane, value, S.activated_limit);
                }
            }
        }
    }
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::cpu
