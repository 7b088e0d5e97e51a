#pragma once
// IWYU pragma: private, include <tenon/inference.hpp>

// Strassen's algorithm on register tiles: two tiles of pixels times two panels of output channels, as seven products of
// half the depth instead of eight.
//
// With A the pixels (rows: tiles; columns: halves of the input channels) and B the weights (rows: halves; columns:
// panels), Winograd's variant (Strassen 1969, Winograd 1971) computes C = A B by
//     S1 = A21 + A22   S2 = S1 - A11    S3 = A11 - A21   S4 = A12 - S2
//     T1 = B12 - B11   T2 = B22 - T1    T3 = B22 - B12   T4 = T2 - B21
//     P1 = A11 B11   P2 = A12 B21   P3 = S4 B22   P4 = A22 T4   P5 = S1 T1   P6 = S2 T2   P7 = S3 T3
//     C11 = P1 + P2   U2 = P1 + P6   U3 = U2 + P7   U4 = U2 + P5   C12 = U4 + P3   C21 = U3 - P4   C22 = U3 + P5
// The T are packed instead of the weights. Every C is completed in registers, so that any epilogue can follow; only U2
// and U3 pass through the first-level cache.

#include <tenon/backend/cpu/kernels/tile.hpp>

namespace tenon::cpu {

inline namespace TENON_ISA_NAMESPACE {

/// The addresses of a pair of tiles and a pair of panels, and what differs between steps that share code. Results have
/// an address of those tensors only that the step has: a residual, the raw and the activated result.
struct StrassenArguments {
    TileArguments results[strassen_products];       ///< for the products that complete C11, C21, C22, C12; else unused
    const float* operands[strassen_products][2]{};  ///< first plane of each product's left side, for both terms
    int planes[2]{};                                ///< half of each term's planes
    int source_plane[2]{};
    float *u2, *u3;             ///< sums that several results begin with, in this worker's memory
    const float* next_weights;  ///< prefetched into the second-level cache, `next_stride` floats per depth
    int next_stride;
    int residual_column;  ///< floats between the residual's pixels
    bool relu;            ///< of the raw result
};

/// Whether a product is the last one that a result needs.
constexpr bool finishes_result(int product) { return product == 1 || product >= 4; }

/// Calls f(sum, its index in the stored sums in floats, its channel in the panel) for all sums.
template <TileSpec T, class F>
TENON_INLINE void for_each_sum(Vector (&sums)[array_bound<T.pixels>][array_bound<T.blocks * vectors_per_block>],
                               const F& f) {
    constexpr int vectors = T.blocks * vectors_per_block;
    TENON_UNROLL for (int p = 0; p < T.pixels; ++p) {
        TENON_UNROLL for (int v = 0; v < vectors; ++v)
            f(sums[p][v], (p * vectors + v) * vector_width, v * vector_width);
    }
}

/// Prefetches what the epilogue of a tile reads and writes, while the products are computed. (Loops that are written
/// out: GCC removes calls of a lambda that only prefetches.)
template <TileSpec T>
TENON_INLINE void fetch_lines(const TileArguments& a, int residual_column) {
    if constexpr (vectors_per_block != 1) return;  // only here is a vector a cache line
    TENON_UNROLL for (int v = 0; v < T.blocks; ++v) {
        if (a.residual) {
            TENON_UNROLL for (int p = 0; p < T.pixels; ++p)
                prefetch(a.residual + v * a.residual_plane + T.offset(p, residual_column, T.residual_row));
        }
        if (a.target) {
            TENON_UNROLL for (int p = 0; p < T.pixels; ++p)
                prefetch_to_write(a.target + v * a.target_plane + T.offset(p, channel_block, T.target_row));
        }
        if (a.activated) {
            TENON_UNROLL for (int p = 0; p < T.pixels; ++p)
                prefetch_to_write(a.activated + v * a.activated_plane + T.offset(p, channel_block, T.activated_row));
        }
    }
}

/// The epilogue of a tile, as tile_epilogue's, but all pixels' sums go through each of its operations before the next:
/// so one question decides an operation, and steps with other epilogues share the code. (Tiles that run over the ends
/// of rows are few, and longer: each has the code of its own epilogue.) `Always` and `pixels` are as there, `sums` are
/// changed.
template <TileSpec T, int Always>
TENON_INLINE void strassen_epilogue(Vector (&sums)[array_bound<T.pixels>][array_bound<T.blocks * vectors_per_block>],
                                    const StrassenArguments& s, const TileArguments& a, int pixels) {
    constexpr bool is_shared = T.crossings == 0;
    const auto each = [&](const auto& f) {  // f(sum, its vector in the panel, its pixel)
        TENON_UNROLL for (int v = 0; v < T.blocks * vectors_per_block; ++v) {
            TENON_UNROLL for (int p = 0; p < T.pixels; ++p) {
                if (p >= Always && p >= pixels) continue;
                f(sums[p][v], v, p);
            }
        }
    };
    const auto place = [&](int v, int plane, int p, int column, int row, int gap) {
        return v / vectors_per_block * plane + v % vectors_per_block * vector_width + T.offset(p, column, row) +
               (T.crossings > 0 && p >= a.wrap ? gap : 0) + (T.crossings > 1 && p >= a.wrap + a.width ? gap : 0);
    };
    if (is_shared ? a.residual != nullptr : T.residual_column != 0)
        each([&](Vector& sum, int v, int p) {
            sum = add(sum, load(a.residual +
                                place(v, a.residual_plane, p, s.residual_column, T.residual_row, a.residual_gap)));
        });
    if (s.relu) each([](Vector& sum, int, int) { sum = relu(sum); });
    if (is_shared ? a.target != nullptr : T.has_target)
        each([&](const Vector& sum, int v, int p) {
            store(a.target + place(v, a.target_plane, p, channel_block, T.target_row, a.target_gap), sum);
        });
    if (is_shared ? a.activated != nullptr : T.has_activated)
        each([&](const Vector& sum, int v, int p) {
            const Vector result = multiply_add(sum, load(a.activated_scale + v * vector_width),
                                               load(a.activated_shift + v * vector_width));
            store(a.activated + place(v, a.activated_plane, p, channel_block, T.activated_row, a.activated_gap),
                  T.activated_relu ? relu(result) : result);
        });
}

/// What of a spec decides the code of strassen_tile: neither whether there is a second term nor, mostly, which tensors
/// the epilogue reads and writes, as an address says that.
constexpr StrassenSpec multiplied(StrassenSpec spec) {
    TileSpec& tile = spec.tile;
    tile.activated_relu = tile.activated_relu || !tile.has_activated;
    tile.projection_column = tile.projection_row = 0;
    tile.relu = false;
    if (tile.crossings > 0) return spec;
    tile.residual_column = 0;
    tile.has_target = tile.has_activated = false;
    return spec;
}

/// Computes products [first, last) of a pair of tiles and a pair of panels, and stores the results that these complete.
/// The right sides follow each other in memory; that of `first` is at `weights`.
template <StrassenSpec S>
TENON_HOT [[gnu::noinline]] void strassen_tile(const StrassenArguments& a, const float* weights, int first, int last) {
    constexpr TileSpec tile = S.tile;
    const float* const shift = a.results[1].shift;
    const float* next = a.next_weights;
    Vector sums[array_bound<tile.pixels>][array_bound<tile.blocks * vectors_per_block>];
    for (int product = first; product < last; ++product) {
        const bool is_second = product == 4 || product == 5;
        if (finishes_result(product)) fetch_lines<tile>(a.results[product], a.residual_column);
        if (product == 0)
            for_each_sum<tile>(sums, [&](Vector& sum, int, int lane) { sum = load(shift + lane); });
        else if (product == 5)  // U2 and U3 contain the first panel's shift
            for_each_sum<tile>(sums, [&](Vector& sum, int, int lane) {
                sum = subtract(load(shift + tile.blocks * channel_block + lane), load(shift + lane));
            });
        else
            for_each_sum<tile>(
                sums, [&, from = product == 4 ? a.u3 : a.u2](Vector& sum, int at, int) { sum = load(from + at); });
        const bool is_direct = product < 2 || (product == 4 && !S.copies());
        for (int term = 0; term < 2; ++term) {
            const float* plane = a.operands[product][term];
            const int distance = is_direct ? a.source_plane[term] : S.plane();
            for (int i = 0; i < a.planes[term]; ++i, plane += distance) {
                TENON_UNROLL for (int p = 0; p < tile.pixels; ++p)
                    prefetch(plane + distance + tile.offset(p, channel_block, tile.source_row));
                multiply_depth<tile, channel_block, tile.source_row, channel_block>(sums, plane, weights, next,
                                                                                    a.next_stride);
            }
        }
        if (product == 5)  // U4 takes the place of U2
            for_each_sum<tile>(sums, [&](Vector& sum, int at, int) {
                store(a.u2 + at, add(load(a.u2 + at), sum));
                sum = add(load(a.u3 + at), sum);
            });
        if (finishes_result(product))
            strassen_epilogue<tile, S.second_pixels>(sums, a, a.results[product],
                                                     is_second ? S.second_pixels : tile.pixels);
        else
            for_each_sum<tile>(sums,
                               [to = product == 3 ? a.u3 : a.u2](Vector& sum, int at, int) { store(to + at, sum); });
    }
}

/// Computes the operands of one term that are sums of quarters of its pixels: `planes` planes of each, from `to` on,
/// `operand` floats apart.
template <StrassenSpec S>
TENON_HOT void combine_pixels(const float* first, const float* second, int planes, int source_plane, float* to,
                              long operand) {
    constexpr TileSpec tile = S.tile;
    constexpr int s1 = S.copies() ? 3 : 2;  // index of S1: after S2, S3 and perhaps A22
    const long half = long{planes} * source_plane, fetched = 3L * source_plane;
    for (int i = 0; i < planes; ++i, first += source_plane, second += source_plane, to += S.plane())
        for (int p = 0; p < tile.pixels; ++p) {
            const int from = tile.offset(p, channel_block, tile.source_row);
            for (int lane = 0; lane < channel_block; lane += vector_width) {
                const float *left = first + from + lane, *right = second + from + lane;
                float* const out = to + from + lane;
                // The runs of a tile's pixels are too short for the hardware prefetcher.
                for (const float* ahead : {left + fetched, right + fetched}) {
                    prefetch(ahead);
                    prefetch(ahead + half);
                }
                const bool exists = !S.copies() || p < S.second_pixels;
                const Vector a11 = load(left), a12 = load(left + half);
                const Vector a21 = exists ? load(right) : zero();
                const Vector a22 = exists ? load(right + half) : zero();
                const Vector sum = add(a21, a22), difference = subtract(sum, a11);
                store(out, difference);
                store(out + operand, subtract(a11, a21));
                if constexpr (S.copies()) store(out + 2 * operand, a22);
                store(out + s1 * operand, sum);
                store(out + (s1 + 1) * operand, subtract(a12, difference));
            }
        }
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::cpu
