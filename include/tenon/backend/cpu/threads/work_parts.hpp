#pragma once
// IWYU pragma: private, include <tenon/inference.hpp>

// How the work of a step, tiles x panels of output channels, is cut into parts for the workers, and parts into tasks.

#include <tenon/backend/cpu/threads/workers.hpp>
#include <tenon/core/min_max.hpp>

namespace tenon::cpu {
inline namespace TENON_ISA_NAMESPACE {

/// How a step's tiles and panels are divided among the workers of a team: a grid of `pixel_parts` x `panel_parts`
/// parts.
struct Split {
    int pixel_parts = 1, panel_parts = 1;
};

/// Chooses the split with the least work for the busiest worker; among equals, the one with the least memory to read.
/// `tile_bytes` are read per tile, `panel_bytes` per panel.
///
/// Example: 7 tiles x 16 panels on 4 workers -> {1, 4}: each worker takes 7 tiles x 4 panels = 28; with {4, 1} the
/// busiest one would have 2 tiles x 16 panels = 32. 56 tiles x 2 panels -> {4, 1}: 14 x 2 = 28, as with {2, 2}, but
/// each worker reads half as many tiles.
inline Split choose_split(int tiles, int panels, long tile_bytes, long panel_bytes, int workers) {
    Split best{};
    double best_cost = 0;
    for (int panel_parts = 1; panel_parts <= std::min(workers, panels); ++panel_parts) {
        const int pixel_parts = std::max(1, std::min(tiles, workers / panel_parts));
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

/// The parts of a step's tiles x panels, and the tasks of a part: its tiles are cut into chunks and, where there are
/// few chunks, its panels into groups. The tasks of a part run all groups of a chunk, then those of the next chunk.
///
/// Example: 10 tiles x 4 panels, split {2, 1}, chunks of 3, weights that stay in a cache. Part 0 has the tiles [0, 5)
/// and two tasks: area({0, 0}) -> tiles [0, 3), area({0, 1}) -> tiles [3, 5), each with the panels [0, 4).
/// With 6 tiles x 16 panels, split {1, 2} and streamed weights, part 1 has 2 chunks x 4 groups = 8 tasks:
/// area({1, 0}) -> tiles [0, 3), panels [8, 10), last_panel 16; area({1, 4}) -> tiles [3, 6), panels [8, 10).
///
/// Law: the tasks of all parts together contain each tile with each panel once (test:
/// tests/backend/cpu/work_parts_test.cpp).
class WorkParts {
public:
    struct Area {
        Range tiles, panels;
        int last_panel;  ///< end of the part's panels: those from `panels` to here are likely to be next
    };

    /// Chunks have at most `chunk` tiles. Panels are divided, at multiples of `panel_multiple`, only where their
    /// weights are streamed: otherwise the weights stay in a cache while the tiles pass by.
    WorkParts(int tiles, int panels, Split split, int chunk, bool streams, int panel_multiple = 1)
        : tiles_{tiles},
          panels_{panels},
          split_{split},
          chunk_{chunk},
          streams_{streams},
          panel_multiple_{panel_multiple} {}

    bool streams() const { return streams_; }

    int count() const { return split_.pixel_parts * split_.panel_parts; }
    int tasks(int part) const { return chunks(part) * groups(part); }

    Area area(Task task) const {
        const Range tiles = tiles_of(task.share), panels = panels_of(task.share);
        const int groups = this->groups(task.share), count = panels.size();
        const Range chunk = share(tiles.size(), task.index / groups, chunks(task.share));
        const Range units = share((count + panel_multiple_ - 1) / panel_multiple_, task.index % groups, groups);
        return {{tiles.begin + chunk.begin, tiles.begin + chunk.end},
                {panels.begin + units.begin * panel_multiple_,
                 std::min(panels.begin + units.end * panel_multiple_, panels.end)},
                panels.end};
    }

private:
    Range tiles_of(int part) const { return share(tiles_, part / split_.panel_parts, split_.pixel_parts); }
    Range panels_of(int part) const { return share(panels_, part % split_.panel_parts, split_.panel_parts); }
    int chunks(int part) const { return (tiles_of(part).size() + chunk_ - 1) / chunk_; }
    int groups(int part) const {
        if (!streams_) return 1;
        const int units = (panels_of(part).size() + panel_multiple_ - 1) / panel_multiple_;
        return std::max(1, std::min(units, (tasks_per_part + chunks(part) - 1) / chunks(part)));
    }

    int tiles_, panels_;
    Split split_;
    int chunk_;
    bool streams_;
    int panel_multiple_;
};

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::cpu
