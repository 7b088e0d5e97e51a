#pragma once
// IWYU pragma: private, include <tenon/inference.hpp>

// What decides the code of a convolution step: structs of scalars that kernels are templates of. Steps with equal specs
// share a kernel, so numbers that don't make the code better are arguments of its call instead.

#include <tenon/backend/cpu/layout/step.hpp>
#include <tenon/backend/cpu/machine.hpp>

namespace tenon::cpu {

/// What decides the code of a tile. Distances are in floats; distances between rows are zero in tiles of one row, so
/// that maps of many widths share a tile.
struct TileSpec {
    int pixels = 1, rows = 1;                       ///< output pixels in all, and the rows they are in
    int blocks = 1;                                 ///< blocks of 16 output channels
    int source_column = 0, source_row = 0;          ///< distances between the windows of neighboring output pixels
    int projection_column = 0, projection_row = 0;  ///< the same in a second source; column 0: there is none
    int residual_column = 0, residual_row = 0;      ///< the same in a residual; column 0: there is none
    int target_row = 0, activated_row = 0;
    bool has_target = true, has_activated = false;
    bool relu = false, activated_relu = false;
    int crossings = 0;      ///< row ends of the results and the residual that the pixels may run over: at most 2
    bool planar = false;    ///< the source is planar: a column is one float, and depth goes channel by channel
    int fetched_lines = 1;  ///< cache lines of the next panel's weights to prefetch per depth

    constexpr int offset(int pixel, int column, int row) const {
        const int width = pixels / rows;
        return pixel / width * row + pixel % width * column;
    }
};

/// The distance in floats between the windows of neighboring output pixels, along a row and between rows.
constexpr int column_stride(const StepTerm& term) { return term.window.stride_width * term.source.pixel(); }
constexpr int row_stride(const StepTerm& term) { return term.window.stride_height * term.source.row(); }

/// The tile of a step with `pixels` pixels in `rows` rows. Row distances that the tile does not use are left at zero,
/// so that steps of different widths share code.
constexpr TileSpec tile_spec(const Step& step, int pixels, int rows, int blocks) {
    TileSpec spec{};
    const bool several = rows > 1;
    spec.pixels = pixels;
    spec.rows = rows;
    spec.blocks = blocks;
    spec.source_column = column_stride(step.terms[0]);
    spec.source_row = several ? row_stride(step.terms[0]) : 0;
    if (step.terms[1].exists()) {
        spec.projection_column = column_stride(step.terms[1]);
        spec.projection_row = several ? row_stride(step.terms[1]) : 0;
    }
    if (step.residual.exists()) {
        spec.residual_column = step.residual_stride * channel_block;
        spec.residual_row = several ? step.residual_stride * step.residual.row() : 0;
    }
    spec.has_target = step.target.exists();
    spec.target_row = several && spec.has_target ? step.target.row() : 0;
    spec.has_activated = step.activated.exists();
    spec.activated_row = several && spec.has_activated ? step.activated.row() : 0;
    spec.relu = step.relu;
    spec.activated_relu = step.activated_relu;
    spec.crossings = step.grid.crossings();
    spec.planar = step.source().planar;
    return spec;
}

/// What decides the code of a pair of tiles that Strassen's algorithm computes together.
struct StrassenSpec {
    TileSpec tile{};        ///< the first tile; the windows of its pixels are neighbors
    int second_pixels = 0;  ///< pixels of the second tile: as many as the first has, or fewer

    /// Floats between the planes of a stored operand, whose rows are as far apart as the source's.
    constexpr int plane() const { return tile.offset(tile.pixels - 1, 16, tile.source_row) + 16; }
    /// Whether the second tile's pixels must be copied, padded with zeros, where they are an operand by themselves.
    constexpr bool copies() const { return second_pixels < tile.pixels; }
    /// The number of stored operands: S2, S3, (A22,) S1 and S4.
    constexpr int operands() const { return copies() ? 5 : 4; }
};

/// Which pairs of tiles a step's grid has, tiles 2i and 2i + 1 being a pair: two big tiles, a big and a small one, or
/// two small ones.
struct StrassenPairs {
    bool big = false, mixed = false, small = false;
};

/// The pairs of a grid; its number of tiles is even, and so is the number in each row unless it is one.
constexpr StrassenPairs strassen_pairs(const TileGrid& grid) {
    if (grid.rows_per_tile > 1) return {grid.small == 0 || grid.tiles() > 2, grid.small > 0, false};
    if (grid.per_row == 1) return {true, false, false};
    return {grid.big_per_row > 1, grid.big_per_row % 2 != 0, grid.per_row - grid.big_per_row > 1};
}

/// Floats of one stored operand of a pair; `plane` as in StrassenSpec.
constexpr long strassen_operand_floats(const Step& step, int plane) {
    return (step.terms[0].planes + (step.terms[1].exists() ? step.terms[1].planes : 0)) / 2L * plane;
}

/// What decides the code of a convolution step: its two sizes of tiles, and the algorithm.
struct ConvSpec {
    TileSpec big{}, small{};  ///< of a full panel; small.pixels is 0 if all tiles are big
    bool odd_panel = false;   ///< the last panel has one block of channels instead of two
    bool strassen = false;
    StrassenPairs pairs{};

    /// How many tiles, and how many panels, are computed together: 2 with Strassen's algorithm.
    constexpr int unit() const { return strassen ? 2 : 1; }
};

inline namespace TENON_ISA_NAMESPACE {

/// The seven products in the order of their computation: P1, P2, P6, P7, P4, P5, P3.
inline constexpr int strassen_products = 7;

/// Floats of weights for one of the products of a pair of panels.
constexpr long strassen_product_floats(const Step& step) { return 2 * step.panel_floats / strassen_products; }

/// Floats of the sums that one product hands to the next, for one pair of tiles.
inline constexpr int strassen_sums = 2 * tile_pixels * panel_blocks * channel_block;

/// The code that a convolution step needs.
constexpr ConvSpec conv_spec(const Step& step) {
    ConvSpec spec{};
    spec.big = tile_spec(step, step.grid.big, step.grid.rows_per_tile, panel_blocks);
    spec.small = tile_spec(step, step.grid.small, step.grid.rows_per_tile > 1 ? step.grid.small_rows : 1, panel_blocks);
    spec.odd_panel = step.result().planes() % panel_blocks != 0;
    spec.strassen = step.pair_floats > 0;
    if (spec.strassen) spec.pairs = strassen_pairs(step.grid);
    return spec;
}

/// The same tile with one block of channels, for the last panel of an odd number of blocks.
constexpr TileSpec odd_tile(TileSpec spec) {
    spec.blocks = 1;
    return spec;
}

/// How many units (tiles, or pairs of tiles) are in a chunk of `chunk_bytes` that goes through all panels together.
constexpr int units_in(long chunk_bytes, long unit_bytes, int unit) {
    return static_cast<int>(std::max(8L / unit, chunk_bytes / unit_bytes));
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::cpu
