// How ranks share a weight gradient by Winograd: so that no core reads what another one transformed.
#pragma once

#include <algorithm>

#include <tenon/backend/cpu/gradient_shards.hpp>
#include <tenon/backend/cpu/winograd_plan.hpp>

namespace tenon {

/// The floats of transformed tiles: of one image, of all ranks of a large batch, and of a rank at least.
struct GradientRooms {
    static constexpr long least_tiles = 128;

    long image = 0, most = 0, least = 0;

    /// Makes room for a gradient of so many planes, the source's and the results'.
    constexpr void include(const WinogradGrid& grid, int planes) {
        const int points = grid.points();
        const auto floats = [&](long tiles) { return points * (16L * tiles * planes + 32); };
        image = std::max(image, floats(grid.tiles()));
        most = std::max(most, floats(std::max(least_tiles, (1L << 20) / (64L * points * planes))));
        least = std::max(least, floats(4) + 16);
    }
    constexpr long floats(long batch, int threads) const {
        return std::max(std::min(batch * image, most), threads * least);
    }
};

inline namespace TENON_ISA_NAMESPACE {

/// What one rank computes: the sums of some rows of points, for some planes of the source and panels of the gradient.
struct GradientPart {
    Range rows, planes, panels;
};

/// A grid of parts.
struct GradientSplit {
    int rows = 1, planes = 1, panels = 1;

    int count() const { return rows * planes * panels; }
    GradientPart part(int index, int all_rows, int all_planes, int all_panels) const {
        return {share(all_rows, index % rows, rows), share(all_planes, index / rows % planes, planes),
                share(all_panels, index / rows / planes, panels)};
    }
};

/// The split with the least work for the busiest rank. A part transforms what it reads: the first of two passes for all
/// rows of points, the second for its own; so parts of rows repeat a half of the transforms, others all of those that
/// they share.
inline GradientSplit choose_gradient_split(int rows, int planes, int panels, int ranks) {
    constexpr double transform = 200, channels = block;  // multiply-adds that a transform takes as long as
    GradientSplit best{};
    double best_work = 0;
    for (int r = 1; r <= std::min(ranks, rows); ++r)
        for (int p = 1; p <= std::min(ranks / r, planes); ++p) {
            const int g = std::max(1, std::min(ranks / r / p, panels));
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

/// The tiles that a part transforms together where `floats` are there for them: as many as stay in the second level of
/// cache, but not so few that the sums are added to too often.
inline int tiles_in(long floats, int points, int planes) {
    const long fit = (floats / points - 2 * block) / (block * planes);
    return static_cast<int>(
        std::min(fit, std::max(GradientRooms::least_tiles, (512L << 10) / (64L * points * planes))));
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon
