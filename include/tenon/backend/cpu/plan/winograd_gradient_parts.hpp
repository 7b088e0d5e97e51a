#pragma once
// IWYU pragma: private, include <tenon/training.hpp>

// How workers divide a weight gradient that is computed by Winograd: no core reads what another core transformed.

#include <algorithm>

#include <tenon/backend/cpu/plan/gradient_shards.hpp>
#include <tenon/backend/cpu/plan/winograd.hpp>

namespace tenon::cpu {

/// Floats of scratch memory for transformed tiles.
struct GradientRooms {
    static constexpr long min_tiles = 128;

    long image = 0;           ///< for all tiles of one image
    long max_total = 0;       ///< for all workers together, however large the batch
    long min_per_worker = 0;  ///< for one worker

    /// Makes room for a gradient over `planes` planes, those of the source and of the results together.
    constexpr void include(const WinogradGrid& grid, int planes) {
        const int points = grid.points();
        const auto floats = [&](long tiles) { return points * channel_block * (tiles * planes + 2); };
        image = std::max(image, floats(grid.tiles()));
        max_total = std::max(max_total, floats(std::max(min_tiles, (1L << 20) / (64L * points * planes))));
        min_per_worker = std::max(min_per_worker, floats(4) + channel_block);
    }
    constexpr long floats(long batch, int threads) const {
        return std::max(std::min(batch * image, max_total), threads * min_per_worker);
    }
};

inline namespace TENON_ISA_NAMESPACE {

/// The part of one worker: the sums at some rows of points, for some planes of the source and panels of the gradient.
struct GradientPart {
    Range rows, planes, panels;
};

/// A grid of parts, numbered with rows innermost.
///
/// Example, 6 rows of points (F(4x4)), 4 planes, 2 panels, split {1, 2, 2}:
///     part(0) -> rows [0, 6), planes [0, 2), panels [0, 1)     part(2) -> rows [0, 6), planes [0, 2), panels [1, 2)
///     part(1) -> rows [0, 6), planes [2, 4), panels [0, 1)     part(3) -> rows [0, 6), planes [2, 4), panels [1, 2)
struct GradientSplit {
    int rows = 1, planes = 1, panels = 1;

    int count() const { return rows * planes * panels; }
    GradientPart part(int index, int all_rows, int all_planes, int all_panels) const {
        return {share(all_rows, index % rows, rows), share(all_planes, index / rows % planes, planes),
                share(all_panels, index / rows / planes, panels)};
    }
};

/// The split with the least work for the busiest worker. A part transforms what it reads: the first of two passes for
/// all rows of points, the second for its own rows. So parts that divide the rows repeat half of the transforms, and
/// parts that divide planes or panels repeat all transforms of what they share.
///
/// Examples, (rows, planes, panels, workers): (6, 4, 2, 4) -> {1, 2, 2}; (6, 1, 1, 2) -> {2, 1, 1}: with one plane and
/// one panel, only rows can be divided.
inline GradientSplit choose_gradient_split(int rows, int planes, int panels, int workers) {
    constexpr double transform = Rates::gradient_transform, channels = channel_block;
    GradientSplit best{};
    double best_work = 0;
    for (int r = 1; r <= std::min(workers, rows); ++r)
        for (int p = 1; p <= std::min(workers / r, planes); ++p) {
            const int g = std::max(1, std::min(workers / r / p, panels));
            const auto largest = [](int count, int parts) { return static_cast<double>((count + parts - 1) / parts); };
            const double my_rows = largest(rows, r) / rows, my_planes = largest(planes, p),
                         my_blocks = largest(panels, g) * panel_blocks;
            const double work = (1 + my_rows) / 2 * transform * channels * (my_planes + my_blocks) +
                                my_rows * rows * rows * channels * channels * my_planes * my_blocks;
            if (best_work != 0 && work >= best_work) continue;
            best = {r, p, g};
            best_work = work;
        }
    return best;
}

/// The number of tiles that a part transforms together in `floats` floats of memory: as many as stay in the
/// second-level cache, but enough that the sums are not loaded and stored too often.
inline int tiles_in(long floats, int points, int planes) {
    const long fit = (floats / points - 2 * channel_block) / (channel_block * planes);
    return static_cast<int>(
        std::min(fit, std::max(GradientRooms::min_tiles, CacheShare::gradient_tiles / (64L * points * planes))));
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::cpu
