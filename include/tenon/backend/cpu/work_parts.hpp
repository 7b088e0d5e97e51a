// How the work of a step, tiles x panels of output channels, is cut into parts for the ranks and tasks of a part.
#pragma once

#include <algorithm>

#include <tenon/backend/cpu/team.hpp>

namespace tenon {
inline namespace TENON_ISA_NAMESPACE {

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

/// The parts of a step's tiles x panels and their tasks: a part's tiles are cut into chunks, and where these are few,
/// its panels into groups. A part's tasks go through all groups of a chunk, then through the next chunk.
///
/// Law: the tasks of all parts together hold each tile with each panel once (test: tests/backend/work_parts_test.cpp).
class WorkParts {
public:
    struct Piece {
        Range tiles, panels;
        int last_panel;  ///< of the part: the panels from `panels` to there are likely to be next
    };

    /// Chunks have at most `chunk` tiles. Panels are cut, between multiples of `panel_unit`, only where their weights
    /// are streamed: otherwise they stay in a cache while the tiles pass by.
    WorkParts(int tiles, int panels, Split split, int chunk, bool streams, int panel_unit = 1)
        : tiles_{tiles}, panels_{panels}, split_{split}, chunk_{chunk}, streams_{streams}, unit_{panel_unit} {}

    bool streams() const { return streams_; }

    int count() const { return split_.pixel_parts * split_.panel_parts; }
    int tasks(int part) const { return chunks(part) * groups(part); }

    Piece piece(Task task) const {
        const Range tiles = tiles_of(task.share), panels = panels_of(task.share);
        const int groups = this->groups(task.share), count = panels.size();
        const Range chunk = share(tiles.size(), task.index / groups, chunks(task.share));
        const Range units = share((count + unit_ - 1) / unit_, task.index % groups, groups);
        return {{tiles.begin + chunk.begin, tiles.begin + chunk.end},
                {panels.begin + units.begin * unit_, std::min(panels.begin + units.end * unit_, panels.end)},
                panels.end};
    }

private:
    Range tiles_of(int part) const { return share(tiles_, part / split_.panel_parts, split_.pixel_parts); }
    Range panels_of(int part) const { return share(panels_, part % split_.panel_parts, split_.panel_parts); }
    int chunks(int part) const { return (tiles_of(part).size() + chunk_ - 1) / chunk_; }
    int groups(int part) const {
        if (!streams_) return 1;
        const int units = (panels_of(part).size() + unit_ - 1) / unit_;
        return std::max(1, std::min(units, (tasks_per_part + chunks(part) - 1) / chunks(part)));
    }

    int tiles_, panels_;
    Split split_;
    int chunk_;
    bool streams_;
    int unit_;
};

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon
