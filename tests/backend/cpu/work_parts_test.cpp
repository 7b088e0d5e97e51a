// The tasks of a step hold each tile with each panel once, whatever its size and the number of workers.
#include <vector>

#include <doctest/doctest.h>

#include <tenon/backend/cpu/threads/work_parts.hpp>

using namespace tenon;

namespace {

/// How many pairs of tile and panel the tasks of all parts don't hold once.
int wrong_pairs(const cpu::WorkParts& parts, int tiles, int panels) {
    std::vector<int> times(static_cast<std::size_t>(tiles) * static_cast<std::size_t>(panels), 0);
    for (int part = 0; part < parts.count(); ++part)
        for (int index = 0; index < parts.tasks(part); ++index) {
            const cpu::WorkParts::Area area = parts.area({part, index});
            if (area.tiles.empty() || area.panels.empty() || area.last_panel < area.panels.end) return -1;
            for (int tile = area.tiles.begin; tile < area.tiles.end; ++tile)
                for (int panel = area.panels.begin; panel < area.panels.end; ++panel)
                    ++times[static_cast<std::size_t>(tile * panels + panel)];
        }
    int wrong = 0;
    for (const int count : times) wrong += count != 1;
    return wrong;
}

}  // namespace

TEST_CASE("all tiles with all panels, once") {
    for (const int tiles : {1, 2, 7, 16, 61})
        for (const int panels : {1, 3, 8, 33})
            for (const int workers : {1, 2, 3, 8, 40})
                for (const int chunk : {1, 4, 100})
                    for (const int unit : {1, 8}) {
                        CAPTURE(tiles);
                        CAPTURE(panels);
                        CAPTURE(workers);
                        CAPTURE(chunk);
                        CAPTURE(unit);
                        const cpu::Split split = cpu::choose_split(tiles, panels, 10'000, 30'000, workers);
                        CHECK(split.pixel_parts * split.panel_parts <= workers);
                        CHECK(wrong_pairs({tiles, panels, split, chunk, true, unit}, tiles, panels) == 0);
                        CHECK(wrong_pairs({tiles, panels, split, chunk, false}, tiles, panels) == 0);
                    }
}

TEST_CASE("tasks are many where weights are streamed or tiles are many, and follow each other") {
    const cpu::WorkParts streamed{14, 32, {1, 1}, 100, true};
    CHECK(streamed.tasks(0) == cpu::tasks_per_part);
    for (int i = 0; i < cpu::tasks_per_part; ++i) {
        const cpu::WorkParts::Area area = streamed.area({0, i});
        CHECK(area.tiles == cpu::Range{0, 14});
        CHECK(area.panels == cpu::Range{4 * i, 4 * i + 4});
        CHECK(area.last_panel == 32);
    }
    const cpu::WorkParts resident{100, 4, {2, 1}, 5, false};
    CHECK(resident.tasks(0) == 10);
    CHECK(resident.count() == 2);
    CHECK(resident.area({1, 0}).tiles == cpu::Range{50, 55});
    CHECK(resident.area({1, 9}).panels == cpu::Range{0, 4});
    const cpu::WorkParts by_units{14, 32, {1, 2}, 100, true, 8};
    CHECK(by_units.tasks(1) == 2);
    CHECK(by_units.area({1, 1}).panels == cpu::Range{24, 32});
}
