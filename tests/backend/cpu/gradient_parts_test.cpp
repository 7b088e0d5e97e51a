// How workers share weight gradients: each sum is formed once, whatever the shapes and the number of workers.
#include <algorithm>
#include <vector>

#include <doctest/doctest.h>

#include <tenon/backend/cpu/plan/winograd_gradient_parts.hpp>

using namespace tenon;

namespace {

/// A plain gradient for this many pairs of channels, as a plan leaves it.
cpu::GradientSums sums_of(int inputs, int outputs) {
    cpu::Step step{};
    step.terms[0].source.channels = inputs;
    step.target.channels = outputs;
    step.panel_floats = static_cast<long>(inputs) * cpu::panel_blocks * cpu::channel_block;
    return cpu::GradientSums{step};
}

}  // namespace

TEST_CASE("the parts of a gradient hold all rows of all planes of all panels, once") {
    for (const int rows : {4, 6})
        for (const int planes : {1, 3, 16})
            for (const int panels : {1, 2, 9})
                for (int workers = 1; workers <= 40; ++workers) {
                    const cpu::GradientSplit split = cpu::choose_gradient_split(rows, planes, panels, workers);
                    CAPTURE(rows);
                    CAPTURE(planes);
                    CAPTURE(panels);
                    CAPTURE(workers);
                    CHECK(split.count() <= workers);
                    std::vector<int> times(static_cast<std::size_t>(rows * planes * panels), 0);
                    for (int i = 0; i < split.count(); ++i) {
                        const cpu::GradientPart part = split.part(i, rows, planes, panels);
                        for (int r = part.rows.begin; r < part.rows.end; ++r)
                            for (int p = part.planes.begin; p < part.planes.end; ++p)
                                for (int g = part.panels.begin; g < part.panels.end; ++g)
                                    ++times[static_cast<std::size_t>((r * planes + p) * panels + g)];
                    }
                    CHECK(times == std::vector<int>(times.size(), 1));
                }
    // Two workers that share one panel each take a half of the rows; four of many planes and panels don't repeat more.
    CHECK(cpu::choose_gradient_split(6, 1, 1, 2).rows == 2);
    CHECK(cpu::choose_gradient_split(6, 16, 8, 4).count() == 4);
}

TEST_CASE("shards depend on the shapes, their parts on the workers") {
    CHECK(cpu::max_gradient_shards(1) == 8);
    CHECK(cpu::max_gradient_shards(1 << 17) == 8);
    CHECK(cpu::max_gradient_shards((1 << 17) + 1) == 4);
    CHECK(cpu::max_gradient_shards(1 << 30) == 1);
    for (const int batch : {1, 3, 16})
        for (int workers = 1; workers <= 40; ++workers) {
            const cpu::GradientShards shards{sums_of(512, 512), batch, workers};
            CAPTURE(batch);
            CAPTURE(workers);
            CHECK(shards.count == std::min(4, batch));
            int next = 0;
            for (int shard = 0; shard < shards.count; ++shard) {
                CHECK(shards.images_of(shard).begin == next);
                CHECK(!shards.images_of(shard).empty());
                next = shards.images_of(shard).end;
            }
            CHECK(next == batch);
            // No worker is idle while others work, or a worker has at least two shards.
            CHECK((shards.count * shards.parts % workers == 0 || shards.count >= 2 * workers));
        }
}

TEST_CASE("the sums of shards are added in their order") {
    cpu::GradientShards shards{sums_of(16, 16), 3, 1};
    shards.floats = 32;
    alignas(64) float sums[3 * 32];
    for (int i = 0; i < 3 * 32; ++i) sums[i] = i < 32 ? 1e8f : i < 64 ? -1e8f : 1.0f;
    shards.add_up(sums, 16, 16);
    for (int i = 0; i < 32; ++i) CHECK(sums[i] == (i < 16 ? 1e8f : 1.0f));  // in another order 0
}

TEST_CASE("transformed tiles find room in every worker's share") {
    for (const int m : {2, 4})
        for (const int planes : {2, 8, 64})
            for (const long batch : {1L, 2L, 64L})
                for (const int threads : {1, 2, 3, 16, 64}) {
                    cpu::WinogradGrid grid{};
                    grid.m = m;
                    grid.down = grid.across = 2;
                    cpu::GradientRooms rooms{};
                    rooms.include(grid, planes);
                    const long share = rooms.floats(batch, threads) / threads / 16 * 16;
                    const int tiles = cpu::tiles_in(share, grid.points(), planes);
                    CAPTURE(planes);
                    CAPTURE(batch);
                    CAPTURE(threads);
                    CHECK(tiles >= 4);
                    CHECK(grid.points() * (16L * tiles * planes + 32) <= share);
                }
}
