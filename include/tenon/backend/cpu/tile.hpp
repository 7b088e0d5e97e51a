// The register tile of convolutions: some output pixels x one panel of output channels, all sums in registers.
#pragma once

#include <tenon/backend/cpu/simd.hpp>

namespace tenon {

/// What decides the code of a tile; numbers that don't change the code's quality are arguments of the call. Distances
/// are in floats; those between rows are zero in tiles of one row, so that maps of many widths share a tile.
struct TileSpec {
    int pixels = 1, rows = 1;                       ///< output pixels, in that many rows
    int blocks = 1;                                 ///< of 16 output channels
    int source_column = 0, source_row = 0;          ///< between the windows of neighbouring output pixels
    int projection_column = 0, projection_row = 0;  ///< of a second source; column 0: there is none
    int residual_column = 0, residual_row = 0;      ///< column 0: there is none
    int target_row = 0, activated_row = 0;
    bool has_target = true, has_activated = false;
    bool relu = false, activated_relu = false;
    int wraps = 0;          ///< ends of rows of the results and the residual that the pixels may run over: at most 2
    bool planar = false;    ///< the source is planar: a column is one float, and depth is channel by channel
    int fetched_lines = 1;  ///< of the weights behind, per depth

    constexpr int offset(int pixel, int column, int row) const {
        const int width = pixels / rows;
        return pixel / width * row + pixel % width * column;
    }
};

inline namespace TENON_ISA_NAMESPACE {

/// Blocks of output channels in a panel, and most pixels of a tile. Sums, weights and one pixel fill the registers but
/// don't spill: 14 x 2 vectors of 32 registers with AVX-512, 6 x 2 of 16 with AVX2 (docs/design.md has the
/// measurements).
#if defined(__AVX512F__)
inline constexpr int panel_blocks = 2, tile_pixels = 14;
#elif defined(__AVX__)
inline constexpr int panel_blocks = 1, tile_pixels = 6;
#elif defined(__ARM_NEON)
inline constexpr int panel_blocks = 1, tile_pixels = 4;
#else
inline constexpr int panel_blocks = 1, tile_pixels = 2;
#endif

/// One source of a tile: the window of its first pixel, and the way from tap to tap and plane to plane.
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
    const float* next_weights;  ///< fetched into the second-level cache, `next_step` floats per depth
    int next_step;
    const float* shift;
    const float* residual;
    float* target;
    float* activated;
    int residual_plane, target_plane, activated_plane;
    int wrap, width;  ///< pixels before the end of the row, where the tile wraps, and of a row
    int residual_gap, target_gap, activated_gap;  ///< from there to the next row
    const float* activated_scale;
    const float* activated_shift;
};

/// Products of `Depth` consecutive channels (or one tap of a planar source) of all pixels with a panel of weights.
template <TileSpec S, int Column, int Row, int Depth>
TENON_INLINE void multiply_depth(Vector (&sums)[array_bound<S.pixels>][array_bound<S.blocks * vectors_per_block>],
                                 const float* source, const float*& weights, const float*& next, int next_step) {
    constexpr int vectors = S.blocks * vectors_per_block;
#if defined(__clang__)
#pragma unroll 4
#else
#pragma GCC unroll 4
#endif
    for (int c = 0; c < Depth; ++c, weights += S.blocks * block) {
        Vector w[array_bound<vectors>];
        TENON_UNROLL for (int v = 0; v < vectors; ++v) w[v] = load(weights + v * lanes);
        TENON_UNROLL for (int line = 0; line < S.fetched_lines; ++line) prefetch<2>(next + 16 * line);
        next += next_step;
        TENON_UNROLL for (int p = 0; p < S.pixels; ++p) {
            const Vector pixel = broadcast(source[S.offset(p, Column, Row) + c]);
            TENON_UNROLL for (int v = 0; v < vectors; ++v) sums[p][v] = multiply_add(pixel, w[v], sums[p][v]);
        }
    }
}

/// Adds one term to the sums: plane by plane, tap by tap.
template <TileSpec S, int Column, int Row>
TENON_INLINE void accumulate(Vector (&sums)[array_bound<S.pixels>][array_bound<S.blocks * vectors_per_block>],
                             const TileTerm& term, const float*& weights, const float*& next, int next_step) {
    const float* plane = term.source;
    // Convolutions that only sum read many planes for few panels: a plane's pixels are fetched one plane ahead.
    const bool fetches = !S.planar && S.residual_column == 0 && S.projection_column == 0 && term.kernel_height == 1;
    for (int i = 0; i < term.planes; ++i, plane += term.plane) {
        if (fetches)
            TENON_UNROLL for (int p = 0; p < S.pixels; ++p) prefetch(plane + term.plane + S.offset(p, Column, Row));
        const float* row = plane;
        for (int y = 0; y < term.kernel_height; ++y, row += term.tap_row) {
            const float* tap = row;
            for (int x = 0; x < term.kernel_width; ++x, tap += term.tap_column) {
#if !defined(__clang__)
                asm("" : "+r"(tap));  // else GCC carries pixels from tap to tap and spills
#endif
                multiply_depth<S, Column, Row, S.planar ? 1 : block>(sums, tap, weights, next, next_step);
            }
        }
    }
}

/// Stores the sums of a tile's first `pixels` pixels, which are at least `Always`: adds the residual, and what follows
/// (see Op).
template <TileSpec S, int Always = S.pixels>
TENON_INLINE void finish_tile(const Vector (&sums)[array_bound<S.pixels>][array_bound<S.blocks * vectors_per_block>],
                              const TileArguments& a, int pixels = S.pixels) {
    constexpr int vectors = S.blocks * vectors_per_block;
    const auto place = [&](int p, int column, int row, int gap) {
        return S.offset(p, column, row) + (S.wraps > 0 && p >= a.wrap ? gap : 0) +
               (S.wraps > 1 && p >= a.wrap + a.width ? gap : 0);
    };
    TENON_UNROLL for (int v = 0; v < vectors; ++v) {
        constexpr int per_block = vectors_per_block;
        const int plane = v / per_block, lane = v % per_block * lanes;
        Vector scale = zero(), shift = zero();
        if constexpr (S.has_activated) {
            scale = load(a.activated_scale + v * lanes);
            shift = load(a.activated_shift + v * lanes);
        }
        TENON_UNROLL for (int p = 0; p < S.pixels; ++p) {
            if (p >= Always && p >= pixels) continue;
            Vector sum = sums[p][v];
            if constexpr (S.residual_column != 0)
                sum = add(sum, load(a.residual + plane * a.residual_plane + lane +
                                    place(p, S.residual_column, S.residual_row, a.residual_gap)));
            if constexpr (S.relu) sum = relu(sum);
            if constexpr (S.has_target)
                store(a.target + plane * a.target_plane + lane + place(p, block, S.target_row, a.target_gap), sum);
            if constexpr (S.has_activated) {
                sum = multiply_add(sum, scale, shift);
                if constexpr (S.activated_relu) sum = relu(sum);
                store(
                    a.activated + plane * a.activated_plane + lane + place(p, block, S.activated_row, a.activated_gap),
                    sum);
            }
        }
    }
}

/// Computes and stores one tile: shift + products of all terms + residual, and what follows (see Op).
template <TileSpec S>
[[gnu::noinline]] void conv_tile(const TileArguments& a) {
    constexpr int vectors = S.blocks * vectors_per_block;
    Vector sums[array_bound<S.pixels>][array_bound<vectors>];
    TENON_UNROLL for (int v = 0; v < vectors; ++v) {
        const Vector shift = load(a.shift + v * lanes);
        TENON_UNROLL for (int p = 0; p < S.pixels; ++p) {
            sums[p][v] = shift;
            if constexpr (S.residual_column != 0 && vectors_per_block == 1)  // a vector is a line: hide its latency
                prefetch(a.residual + v * a.residual_plane + S.offset(p, S.residual_column, S.residual_row));
        }
    }
    const float *weights = a.weights, *next = a.next_weights;
    accumulate<S, S.source_column, S.source_row>(sums, a.terms[0], weights, next, a.next_step);
    if constexpr (S.projection_column != 0)
        accumulate<S, S.projection_column, S.projection_row>(sums, a.terms[1], weights, next, a.next_step);
    finish_tile<S>(sums, a);
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon
