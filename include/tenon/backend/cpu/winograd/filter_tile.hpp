#pragma once
// IWYU pragma: private, include <tenon/inference.hpp>

// The register tile of F(4x4, 3x3) on plain filters: a filter's points are computed in registers, between the products.

#include <tenon/backend/cpu/plan/winograd.hpp>
#include <tenon/backend/cpu/winograd/transform.hpp>

namespace tenon::cpu {
inline namespace TENON_ISA_NAMESPACE {

/// Planes of the source whose filters, input and sums stay close to the first-level cache while all rows of points are
/// computed; sums over more planes are stored and continued.
inline constexpr int filter_chunk_planes = 2;

/// How many planes ahead of the filters that are read filters are prefetched from memory.
inline constexpr int fetched_planes_ahead = 4;

/// Floats between the points of the transformed input, and of the sums: [point][Winograd tile][channel].
inline constexpr int filter_point_floats = filter_tiles * channel_block;

/// Floats of one plane of a group of tiles at all 36 points: of the source, or of the sums.
inline constexpr int filter_group_floats = 36 * filter_point_floats;

/// Floats of one plane's filters for one block of output channels: [input channel][tap][output channel].
inline constexpr int filter_plane_floats = channel_block * 9 * channel_block;

/// The addresses of a tile: those of the first plane of a chunk.
struct FilterTileArguments {
    const float* source;  ///< transformed, with the factors of the filters' points
    const float* filters;
    int planes;
    bool continues;  ///< the sums continue those of earlier planes
    float* sums;
};

/// One point of a filter in one dimension, without its factor (see WinogradTransform<4>::factor). A factor of two is an
/// addition: additions run in parallel with the products, multiplications don't.
template <int Point>
TENON_INLINE Vector filter_point(Vector a, Vector b, Vector c) {
    if constexpr (Point == 0) return a;
    if constexpr (Point == 1) return add(add(a, c), b);
    if constexpr (Point == 2) return subtract(add(a, c), b);
    if constexpr (Point == 3) return add(multiply_add(broadcast(4.0f), c, a), add(b, b));
    if constexpr (Point == 4) return subtract(multiply_add(broadcast(4.0f), c, a), add(b, b));
    if constexpr (Point == 5) return c;
}

/// Products of one input channel at a row's points from `Point` on; a, b and c are the filter's columns in this row.
template <int Point = 0>
TENON_INLINE void multiply_points(Vector (&sums)[6][filter_tiles], const float* source, Vector a, Vector b, Vector c) {
    if constexpr (Point < 6) {
        const Vector value = filter_point<Point>(a, b, c);
        TENON_UNROLL for (int t = 0; t < filter_tiles; ++t) sums[Point][t] =
            multiply_add(broadcast(source[Point * filter_point_floats + t * channel_block]), value, sums[Point][t]);
        multiply_points<Point + 1>(sums, source, a, b, c);
    }
}

/// Computes the sums at one row of points over a chunk of planes, input channel by input channel: 6 x 4 vectors.
template <int Row>
TENON_HOT [[gnu::noinline]] void filter_tile(const FilterTileArguments& a) {
    static_assert(Row < 6 && vector_width == channel_block, "with fewer registers the sums would spill");
    Vector sums[6][filter_tiles];
    float* const stored = a.sums + Row * 6 * filter_point_floats;
    TENON_UNROLL for (int p = 0; p < 6; ++p) TENON_UNROLL for (int t = 0; t < filter_tiles; ++t) sums[p][t] =
        a.continues ? load(stored + p * filter_point_floats + t * channel_block) : zero();
    const float *source = a.source + Row * 6 * filter_point_floats, *filters = a.filters;
    for (int plane = 0; plane < a.planes; ++plane, source += filter_group_floats)
        for (int c = 0; c < channel_block; ++c, filters += 9 * channel_block) {
            const auto column = [&](int x) {
                const auto tap = [&](int y) { return load(filters + (3 * y + x) * channel_block); };
                if constexpr (Row == 0) return tap(0);
                if constexpr (Row == 5) return tap(2);
                if constexpr (Row > 0 && Row < 5) return filter_point<Row>(tap(0), tap(1), tap(2));
            };
            if constexpr (Row < 5) {  // prefetch two of the nine cache lines of a filter
                constexpr long line = fetched_planes_ahead * filter_plane_floats + 2 * Row * channel_block;
                prefetch<2>(filters + line);
                if constexpr (Row < 4) prefetch<2>(filters + line + channel_block);
            }
            multiply_points(sums, source + c, column(0), column(1), column(2));
        }
    TENON_UNROLL for (int p = 0; p < 6; ++p) TENON_UNROLL for (int t = 0; t < filter_tiles; ++t)
        store(stored + p * filter_point_floats + t * channel_block, sums[p][t]);
}

/// Computes the sums at all points over a chunk of planes, row by row.
template <int Row = 0>
void multiply_filters(const FilterTileArguments& a) {
    filter_tile<Row>(a);
    if constexpr (Row < 5) multiply_filters<Row + 1>(a);
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::cpu
