// The convolution step: which tiles and panels each thread works off, in which order.
#pragma once

#include <tenon/backend/cpu/step.hpp>
#include <tenon/backend/cpu/tile.hpp>

namespace tenon {

/// What decides the code of a convolution step: its two sizes of tiles.
struct ConvSpec {
    TileSpec big{}, small{};  ///< of a full panel; small.pixels is 0 if all tiles are big
    bool odd_panel = false;   ///< the last panel has one block of channels instead of two
};

/// The distance between the windows of neighbouring output pixels, along a row and between rows.
constexpr int column_step(const StepTerm& term) { return term.window.stride_width * term.source.pixel(); }
constexpr int row_step(const StepTerm& term) { return term.window.stride_height * term.source.row(); }

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
    spec.wraps = step.grid.wraps > 0;
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
    return spec;
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

/// Addresses that change with the image, tile and panel of a convolution step.
class ConvCursor {
public:
    ConvCursor(const Step& step, const Frame& frame) : step_{step}, frame_{frame} {
        for (int i = 0; i < 2; ++i) {
            const StepTerm& term = step.terms[i];
            if (!term.exists()) continue;
            arguments_.terms[i] = {nullptr,
                                   term.planes,
                                   term.source.plane(),
                                   term.window.kernel_height,
                                   term.window.kernel_width,
                                   term.source.row(),
                                   term.source.pixel()};
        }
        arguments_.residual_plane = step.residual.plane();
        arguments_.target_plane = step.target.plane();
        arguments_.activated_plane = step.activated.plane();
        const int row = step.grid.wraps * block;
        arguments_.residual_gap = step.residual.row() - row;
        arguments_.target_gap = step.target.row() - row;
        arguments_.activated_gap = step.activated.row() - row;
    }

    /// Says where the strip that the step writes or reads lies: `memory` holds its rows from `first_row` on.
    void strip(float* memory, int first_row) {
        for (const Tensor* tensor : {&step_.source(), &step_.target, &step_.activated})
            if (tensor->is_strip()) strip_ = memory - static_cast<long>(first_row) * tensor->row();
    }

    /// Moves to a panel of output channels; the panel behind it is fetched while the first tiles are computed.
    void panel(int index) {
        panel_ = index;
        const float* weights = frame_.weights + step_.weights + index * step_.panel_floats;
        const int channel = index * panel_blocks * block;
        arguments_.weights = weights;
        arguments_.shift = frame_.weights + step_.shift + channel;
        if (step_.activated.exists()) {
            arguments_.activated_scale = frame_.weights + step_.activated_scale + channel;
            arguments_.activated_shift = arguments_.activated_scale + step_.activated.planes() * block;
        }
    }

    /// Moves to a tile of the step's grid over all images; returns whether it is a small one.
    bool tile(int index, int tiles_per_image) {
        const TileGrid& grid = step_.grid;
        float* image = frame_.image(index / tiles_per_image);
        const int in_image = index % tiles_per_image;
        int y, x;
        bool small;
        if (grid.rows_per_tile > 1) {
            y = in_image * grid.rows_per_tile;
            x = 0;
            small = y + grid.rows_per_tile > grid.rows;
        } else {
            y = in_image / grid.per_row;
            const int k = in_image % grid.per_row;
            small = k >= grid.big_per_row;
            x = k * grid.big - (small ? k - grid.big_per_row : 0);
        }
        for (int i = 0; i < 2; ++i) {
            const StepTerm& term = step_.terms[i];
            if (!term.exists()) continue;
            const long corner = term.source.origin() - term.window.top * static_cast<long>(term.source.row()) -
                                term.window.left * term.source.pixel();
            arguments_.terms[i].source =
                base(term.source, image) + corner + static_cast<long>(y) * row_step(term) +
                static_cast<long>(x) * column_step(term) +
                static_cast<long>(term.first_plane(panel_ * panel_blocks)) * term.source.plane();
        }
        if (grid.wraps > 0) {  // the source is one long row, the other tensors are not
            y = x / grid.wraps;
            x %= grid.wraps;
            arguments_.wrap = grid.wraps - x;
        }
        const int first = panel_ * panel_blocks;
        const auto at = [&](const Tensor& tensor, int stride) {
            return base(tensor, image) + tensor.origin() + static_cast<long>(first) * tensor.plane() +
                   static_cast<long>(y) * stride * tensor.row() + static_cast<long>(x) * stride * block;
        };
        if (step_.residual.exists()) arguments_.residual = at(step_.residual, step_.residual_stride);
        if (step_.target.exists()) arguments_.target = at(step_.target, 1);
        if (step_.activated.exists()) arguments_.activated = at(step_.activated, 1);
        return small;
    }

    /// Spreads the fetching of the next panel over the first of `tiles` tiles: too many misses at once would stall the
    /// loads of this one.
    void fetch_next(int tile, int tiles) {
        const int sharers = tiles >= 8 ? 8 : tiles >= 4 ? 4 : tiles >= 2 ? 2 : 1;
        const int next = panel_ + 1 < step_.panels ? 1 : 0;
        arguments_.next_weights = arguments_.weights + next * step_.panel_floats;
        arguments_.next_step = 0;
        if (tile < sharers && next > 0) {
            arguments_.next_weights += tile * (step_.panel_floats / sharers);
            arguments_.next_step = std::max(panel_blocks * block / sharers, 1);
        }
    }

    const TileArguments& arguments() const { return arguments_; }

private:
    float* base(const Tensor& tensor, float* image) const { return tensor.is_strip() ? strip_ : image; }

    const Step& step_;
    const Frame& frame_;
    float* strip_ = nullptr;
    int panel_ = 0;
    TileArguments arguments_{};
};

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

/// Works off a chunk of a step's tiles, panel by panel.
template <ConvSpec S>
void run_tiles(ConvCursor& cursor, const Step& step, Range tiles, Range panels) {
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
    const int per_image = step.grid.tiles(), tiles = per_image * frame.images;
    const long tile_bytes = static_cast<long>(step.grid.big) * step.panel_floats / (panel_blocks * block) * 4;
    const Split split = choose_split(tiles, step.panels, tile_bytes, step.panel_floats * 4, frame.team->size());
    frame.team->run([&](int rank, int size) {
        zero_borders(step, frame, rank, size);
        if (rank >= split.pixel_parts * split.panel_parts) return;
        const Range my_tiles = share(tiles, rank / split.panel_parts, split.pixel_parts);
        const Range my_panels = share(step.panels, rank % split.panel_parts, split.panel_parts);
        // A chunk of tiles goes through all panels: its source stays in the first levels of cache. Where the panels are
        // too many to stay there as well, chunks are larger, so that panels are streamed less often.
        const long weight_bytes = (my_panels.end - my_panels.begin) * step.panel_floats * 4;
        const long chunk_bytes = weight_bytes <= (512 << 10) ? 32 << 10 : 512 << 10;
        const int chunk = static_cast<int>(std::max(8L, chunk_bytes / tile_bytes));

        ConvCursor cursor{step, frame};
        for (int begin = my_tiles.begin; begin < my_tiles.end; begin += chunk)
            run_tiles<S>(cursor, step, {begin, std::min(begin + chunk, my_tiles.end)}, my_panels);
    });
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon
