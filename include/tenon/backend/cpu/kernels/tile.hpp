#pragma once
// IWYU pragma: private, include <tenon/inference.hpp>

// The register tile of convolutions: several output pixels x one panel of output channels, all sums in registers.

#include <tenon/backend/cpu/machine.hpp>
#include <tenon/backend/cpu/plan/specs.hpp>

namespace tenon::cpu {

inline namespace TENON_ISA_NAMESPACE {

/// One source of a tile: the window of its first pixel, and the distances from tap to tap and plane to plane.
struct TileTerm {
    const float* source;
    int planes, plane;
    int kernel_height, kernel_width;
    int tap_row, tap_column;
};

/// The addresses of a tile.
struct TileArguments {
    TileTerm terms[2];
    const float* weights;
    const float* next_weights;  ///< prefetched into the second-level cache, `next_stride` floats per depth
    int next_stride;
    const float* shift;
    const float* residual;
    float* target;
    float* activated;
    int residual_plane, target_plane, activated_plane;
    int wrap, width;  ///< pixels up to the end of the row that the tile begins in, and pixels of a row
    int residual_gap, target_gap, activated_gap;  ///< floats from the end of a row to the next row
    const float* activated_scale;
    const float* activated_shift;
};

/// Products of `Depth` consecutive channels (or one tap of a planar source) of all pixels with a panel of weights.
template <TileSpec S, int Column, int Row, int Depth>
TENON_INLINE void multiply_depth(Vector (&sums)[array_bound<S.pixels>][array_bound<S.blocks * vectors_per_block>],
                                 const float* source, const float*& weights, const float*& next, int next_stride) {
    constexpr int vectors = S.blocks * vectors_per_block;
#if defined(__clang__)
#pragma unroll 4
#else
#pragma GCC unroll 4
#endif
    for (int c = 0; c < Depth; ++c, weights += S.blocks * channel_block) {
        Vector w[array_bound<vectors>];
        TENON_UNROLL for (int v = 0; v < vectors; ++v) w[v] = load(weights + v * vector_width);
        TENON_UNROLL for (int line = 0; line < S.fetched_lines; ++line) prefetch<2>(next + 16 * line);
        next += next_stride;
        TENON_UNROLL for (int p = 0; p < S.pixels; ++p) {
            const Vector pixel = broadcast(source[S.offset(p, Column, Row) + c]);
            TENON_UNROLL for (int v = 0; v < vectors; ++v) sums[p][v] = multiply_add(pixel, w[v], sums[p][v]);
        }
    }
}

/// Adds the products of one term to the sums: plane by plane, tap by tap.
template <TileSpec S, int Column, int Row>
TENON_INLINE void accumulate(Vector (&sums)[array_bound<S.pixels>][array_bound<S.blocks * vectors_per_block>],
                             const TileTerm& term, const float*& weights, const float*& next, int next_stride) {
    const float* plane = term.source;
    // Convolutions without residual or projection read many planes for few panels: pixels are fetched one plane ahead.
    const bool fetches = !S.planar && S.residual_column == 0 && S.projection_column == 0 && term.kernel_height == 1;
    for (int i = 0; i < term.planes; ++i, plane += term.plane) {
        if (fetches)
            TENON_UNROLL for (int p = 0; p < S.pixels; ++p) prefetch(plane + term.plane + S.offset(p, Column, Row));
        const float* row = plane;
        for (int y = 0; y < term.kernel_height; ++y, row += term.tap_row) {
            const float* tap = row;
            for (int x = 0; x < term.kernel_width; ++x, tap += term.tap_column) {
#if !defined(__clang__)
                asm("" : "+r"(tap));  // without it, GCC carries pixels from tap to tap in registers, and spills sums
#endif
                multiply_depth<S, Column, Row, S.planar ? 1 : channel_block>(sums, tap, weights, next, next_stride);
            }
        }
    }
}

/// Stores the sums of a tile's first `pixels` pixels, of which there are at least `Always`: adds the residual and
/// applies the rest of the epilogue (see Op).
template <TileSpec S, int Always = S.pixels>
TENON_INLINE void tile_epilogue(const Vector (&sums)[array_bound<S.pixels>][array_bound<S.blocks * vectors_per_block>],
                                const TileArguments& a, int pixels = S.pixels) {
    constexpr int vectors = S.blocks * vectors_per_block;
    const auto place = [&](int p, int column, int row, int gap) {
        return S.offset(p, column, row) + (S.crossings > 0 && p >= a.wrap ? gap : 0) +
               (S.crossings > 1 && p >= a.wrap + a.width ? gap : 0);
    };
    TENON_UNROLL for (int v = 0; v < vectors; ++v) {
        constexpr int per_block = vectors_per_block;
        const int plane = v / per_block, lane = v % per_block * vector_width;
        Vector scale = zero(), shift = zero();
        if constexpr (S.has_activated) {
            scale = load(a.activated_scale + v * vector_width);
            shift = load(a.activated_shift + v * vector_width);
        }
        TENON_UNROLL for (int p = 0; p < S.pixels; ++p) {
            if (p >= Always && p >= pixels) continue;
            Vector sum = sums[p][v];
            if constexpr (S.residual_column != 0)
                sum = add(sum, load(a.residual + plane * a.residual_plane + lane +
                                    place(p, S.residual_column, S.residual_row, a.residual_gap)));
            if constexpr (S.relu) sum = relu(sum);
            if constexpr (S.has_target)
                store(a.target + plane * a.target_plane + lane + place(p, channel_block, S.target_row, a.target_gap),
                      sum);
            if constexpr (S.has_activated) {
                sum = multiply_add(sum, scale, shift);
                if constexpr (S.activated_relu) sum = relu(sum);
                store(a.activated + plane * a.activated_plane + lane +
                          place(p, channel_block, S.activated_row, a.activated_gap),
                      sum);
            }
        }
    }
}

/// Computes and stores one tile: shift + products of all terms + residual, and the rest of the epilogue (see Op).
template <TileSpec S>
TENON_HOT [[gnu::noinline]] void conv_tile(const TileArguments& a) {
    constexpr int vectors = S.blocks * vectors_per_block;
    Vector sums[array_bound<S.pixels>][array_bound<vectors>];
    TENON_UNROLL for (int v = 0; v < vectors; ++v) {
        const Vector shift = load(a.shift + v * vector_width);
        TENON_UNROLL for (int p = 0; p < S.pixels; ++p) {
            sums[p][v] = shift;
            if constexpr (S.residual_column != 0 && vectors_per_block == 1)  // a vector is a line: hide its latency
                prefetch(a.residual + v * a.residual_plane + S.offset(p, S.residual_column, S.residual_row));
        }
    }
    const float *weights = a.weights, *next = a.next_weights;
    accumulate<S, S.source_column, S.source_row>(sums, a.terms[0], weights, next, a.next_stride);
    if constexpr (S.projection_column != 0)
        accumulate<S, S.projection_column, S.projection_row>(sums, a.terms[1], weights, next, a.next_stride);
    tile_epilogue<S>(sums, a);
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::cpu
