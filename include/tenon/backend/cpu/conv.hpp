// The convolution step: which tiles and panels each thread works off, in which order.
#pragma once

#include <tenon/backend/cpu/strassen.hpp>
#include <tenon/backend/cpu/work_parts.hpp>

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

/// Bytes of weights that stay in the second-level cache while tiles pass by.
inline constexpr long resident_weight_bytes = 512 << 10;

/// Bytes of the largest chunk of tiles that goes through all panels together, and how many tiles, or pairs of tiles,
/// there are in a chunk.
inline constexpr long most_chunk_bytes = 512 << 10;
constexpr int units_in(long chunk_bytes, long unit_bytes, int unit) {
    return static_cast<int>(std::max(8L / unit, chunk_bytes / unit_bytes));
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

/// One rank's way through the tiles and panels of a step. `memory` is for what Strassen's algorithm stores; `streams`
/// says that the weights do not stay in the second-level cache.
template <ConvSpec S>
class TileRun {
public:
    TileRun(const Step& step, const Frame& frame, float* memory, bool streams)
        : step_{step}, cursor_{step, frame}, strassen_{cursor_, step, memory, streams} {}

    /// Says where the strip that the step writes or reads lies.
    void strip(float* memory, int first_row) { cursor_.strip(memory, first_row); }

    /// Works off some tiles, panel by panel; the panels up to `last_panel` are likely to follow.
    void operator()(Range tiles, Range panels, int last_panel) {
        if constexpr (S.strassen) {
            strassen_(tiles, panels, last_panel);
        } else {
            for (int panel = panels.begin; panel < panels.end; ++panel) run_panel(tiles, panel);
        }
    }

private:
    void run_panel(Range tiles, int panel) {
        const int per_image = step_.grid.tiles();
        const bool odd = S.odd_panel && panel_blocks > 1 && panel == step_.panels - 1;
        cursor_.panel(panel);
        for (int tile = tiles.begin; tile < tiles.end; ++tile) {
            const bool small = cursor_.tile(tile, per_image);
            cursor_.fetch_next(tile - tiles.begin, tiles.end - tiles.begin);
            if (small) {
                if constexpr (S.small.pixels > 0) {
                    if (!odd) conv_tile<S.small>(cursor_.arguments());
                    if constexpr (S.odd_panel && panel_blocks > 1)
                        if (odd) conv_tile<odd_tile(S.small)>(cursor_.arguments());
                }
            } else {
                if (!odd) conv_tile<S.big>(cursor_.arguments());
                if constexpr (S.odd_panel && panel_blocks > 1)
                    if (odd) conv_tile<odd_tile(S.big)>(cursor_.arguments());
            }
        }
    }

    const Step& step_;
    ConvCursor cursor_;
    StrassenRun<S.big, S.small, S.pairs> strassen_;
};

/// Whether so many of a step's panels are more than stay in the second-level cache.
constexpr bool streams_weights(const Step& step, int panels) {
    return 4L * step.panel_floats * panels > resident_weight_bytes;
}

/// How the ranks share a convolution step.
inline WorkParts conv_parts(const Step& step, int images, int ranks, int unit) {
    const int tiles = step.grid.tiles() * images / unit, panels = step.panels / unit;
    const long tile_bytes = unit * step.tile_bytes(panel_blocks), panel_bytes = unit * step.panel_floats * 4;
    const Split split = choose_split(tiles, panels, tile_bytes, panel_bytes, ranks);
    // A chunk of tiles goes through all panels: its source stays in the first levels of cache. Where the panels are too
    // many to stay there as well, chunks are larger, so that panels are streamed less often, and tasks a few panels.
    const bool streams = streams_weights(step, (panels + split.panel_parts - 1) / split.panel_parts * unit);
    int chunk = units_in(streams ? most_chunk_bytes : 32 << 10, tile_bytes, unit);
    if (!streams) chunk = std::min(chunk, std::max(4 / unit, tiles / split.pixel_parts / tasks_per_part));
    return {tiles, panels, split, chunk, streams, step.pair_panels};
}

/// Runs a convolution step.
///
/// Law: a tile's value does not depend on which rank computes it nor on the number of ranks
/// (test: tests/runtime/determinism_test.cpp).
template <ConvSpec S>
void run_conv(const Step& step, const Frame& frame) {
    constexpr int unit = S.unit();
    const WorkParts parts = conv_parts(step, frame.images, frame.team->size(), unit);
    frame.team->deal(parts.count(), [&](int part) { return parts.tasks(part); });
    frame.team->run([&](int rank, int size) {
        zero_borders(step, frame, rank, size);
        TileRun<S> run{step, frame, frame.scratch + rank * frame.scratch_floats, parts.streams()};
        while (const Task task = frame.team->take(rank)) {
            const WorkParts::Piece piece = parts.piece(task);
            run({unit * piece.tiles.begin, unit * piece.tiles.end},
                {unit * piece.panels.begin, unit * piece.panels.end}, unit * piece.last_panel);
        }
    });
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon
