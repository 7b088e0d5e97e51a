// The convolution step: which tiles and panels each thread works off, in which order.
#pragma once

#include <tenon/backend/cpu/strassen.hpp>

namespace tenon {

/// What decides the code of a convolution step: its two sizes of tiles.
struct ConvSpec {
    TileSpec big{}, small{};  ///< of a full panel; small.pixels is 0 if all tiles are big
    bool odd_panel = false;   ///< the last panel has one block of channels instead of two
    bool strassen = false;
    StrassenPairs pairs{};

    /// Tiles and panels that are computed together.
    constexpr int unit() const { return strassen ? 2 : 1; }
};

/// The tile of a step with the given pixels in the given rows; row distances that are not used are left out, so that
/// steps of different widths share code.
constexpr TileSpec tile_spec(const Step& step, int pixels, int rows, int blocks) {
    TileSpec spec{};
    const bool several = rows > 1;
    spec.pixels = pixels;
    spec.rows = rows;
    spec.blocks = blocks;
    spec.source_column = column_step(step.terms[0]);
    spec.source_row = several ? row_step(step.terms[0]) : 0;
    if (step.terms[1].exists()) {
        spec.projection_column = column_step(step.terms[1]);
        spec.projection_row = several ? row_step(step.terms[1]) : 0;
    }
    if (step.residual.exists()) {
        spec.residual_column = step.residual_stride * 16;
        spec.residual_row = several ? step.residual_stride * step.residual.row() : 0;
    }
    spec.has_target = step.target.exists();
    spec.target_row = several && spec.has_target ? step.target.row() : 0;
    spec.has_activated = step.activated.exists();
    spec.activated_row = several && spec.has_activated ? step.activated.row() : 0;
    spec.relu = step.relu;
    spec.activated_relu = step.activated_relu;
    spec.wraps = step.grid.crossings();
    spec.planar = step.source().planar;
    return spec;
}

inline namespace TENON_ISA_NAMESPACE {

/// The code a convolution step needs.
constexpr ConvSpec conv_spec(const Step& step) {
    ConvSpec spec{};
    spec.big = tile_spec(step, step.grid.big, step.grid.rows_per_tile, panel_blocks);
    spec.small = tile_spec(step, step.grid.small, step.grid.rows_per_tile > 1 ? step.grid.small_rows : 1, panel_blocks);
    spec.odd_panel = step.result().planes() % panel_blocks != 0;
    spec.strassen = step.pair_floats > 0;
    if (spec.strassen) spec.pairs = strassen_pairs(step.grid);
    return spec;
}

/// Bytes of the largest chunk of tiles that goes through all panels together, and how many tiles, or pairs of tiles,
/// there are in a chunk.
inline constexpr long most_chunk_bytes = 512 << 10;
constexpr int units_in(long chunk_bytes, long unit_bytes, int unit) {
    return static_cast<int>(std::max(8L / unit, chunk_bytes / unit_bytes));
}

/// How a step's tiles and panels are split among the ranks of a team: a grid of `pixel_parts` x `panel_parts`.
struct Split {
    int pixel_parts = 1, panel_parts = 1;
};

/// Chooses the split with the least work for the busiest rank, then with the least memory to read.
inline Split choose_split(int tiles, int panels, long tile_bytes, long panel_bytes, int ranks) {
    Split best{};
    double best_cost = 0;
    for (int panel_parts = 1; panel_parts <= std::min(ranks, panels); ++panel_parts) {
        const int pixel_parts = std::max(1, std::min(tiles, ranks / panel_parts));
        const double my_tiles = (tiles + pixel_parts - 1) / pixel_parts;
        const double my_panels = (panels + panel_parts - 1) / panel_parts;
        const double work = my_tiles * my_panels;
        const double traffic =
            my_tiles * static_cast<double>(tile_bytes) + my_panels * static_cast<double>(panel_bytes);
        const double cost = work * (1 + 1e-9 * traffic);
        if (panel_parts == 1 || cost < best_cost) {
            best = {pixel_parts, panel_parts};
            best_cost = cost;
        }
    }
    return best;
}

/// A tile of one block for the last panel of an odd number of blocks.
constexpr TileSpec odd_tile(TileSpec spec) {
    spec.blocks = 1;
    return spec;
}

/// Zeroes this rank's share of the borders of a step's results.
inline void zero_borders(const Step& step, const Frame& frame, int rank, int size) {
    for (const Tensor* tensor : {&step.target, &step.activated}) {
        if (!tensor->exists() || !tensor->has_border()) continue;
        const Range planes = share(tensor->planes(), rank, size);
        for (int i = 0; i < frame.images; ++i) zero_border(*tensor, frame.image(i), planes.begin, planes.end);
    }
}

/// Works off a chunk of a step's tiles, panel by panel. `memory` is for what Strassen's algorithm stores.
template <ConvSpec S>
void run_tiles(ConvCursor& cursor, const Step& step, Range tiles, Range panels, float* memory) {
    if constexpr (S.strassen) return StrassenRun<S.big, S.small, S.pairs>{cursor, step, memory}(tiles, panels);
    const int per_image = step.grid.tiles();
    const bool odd_only = S.odd_panel && panel_blocks > 1;
    for (int panel = panels.begin; panel < panels.end; ++panel) {
        cursor.panel(panel);
        const bool odd = odd_only && panel == step.panels - 1;
        for (int tile = tiles.begin; tile < tiles.end; ++tile) {
            const bool small = cursor.tile(tile, per_image);
            cursor.fetch_next(tile - tiles.begin, tiles.end - tiles.begin);
            if (small) {
                if constexpr (S.small.pixels > 0) {
                    if (!odd) conv_tile<S.small>(cursor.arguments());
                    if constexpr (S.odd_panel && panel_blocks > 1)
                        if (odd) conv_tile<odd_tile(S.small)>(cursor.arguments());
                }
            } else {
                if (!odd) conv_tile<S.big>(cursor.arguments());
                if constexpr (S.odd_panel && panel_blocks > 1)
                    if (odd) conv_tile<odd_tile(S.big)>(cursor.arguments());
            }
        }
    }
}

/// Runs a convolution step.
///
/// Law: a tile's value does not depend on which rank computes it nor on the number of ranks
/// (test: tests/runtime/determinism_test.cpp).
template <ConvSpec S>
void run_conv(const Step& step, const Frame& frame) {
    constexpr int unit = S.unit();
    const int units = step.grid.tiles() * frame.images / unit;
    const long unit_bytes = unit * step.tile_bytes(panel_blocks);
    const Split split =
        choose_split(units, step.panels / unit, unit_bytes, unit * step.panel_floats * 4, frame.team->size());
    frame.team->run([&](int rank, int size) {
        zero_borders(step, frame, rank, size);
        if (rank >= split.pixel_parts * split.panel_parts) return;
        const Range my_units = share(units, rank / split.panel_parts, split.pixel_parts);
        const Range my_panels = share(step.panels / unit, rank % split.panel_parts, split.panel_parts);
        // A chunk of tiles goes through all panels: its source stays in the first levels of cache. Where the panels are
        // too many to stay there as well, chunks are larger, so that panels are streamed less often.
        const long weight_bytes = (my_panels.end - my_panels.begin) * unit * step.panel_floats * 4;
        const long chunk_bytes = weight_bytes <= (512 << 10) ? 32 << 10 : most_chunk_bytes;
        const int chunk = units_in(chunk_bytes, unit_bytes, unit);

        ConvCursor cursor{step, frame};
        for (int begin = my_units.begin; begin < my_units.end; begin += chunk)
            run_tiles<S>(cursor, step, {unit * begin, unit * std::min(begin + chunk, my_units.end)},
                         {unit * my_panels.begin, unit * my_panels.end}, frame.scratch + rank * frame.scratch_floats);
    });
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon
