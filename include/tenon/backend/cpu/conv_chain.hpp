// Two convolutions as one step: what the first hands to the second is never whole in memory.
#pragma once

#include <tenon/backend/cpu/conv.hpp>

namespace tenon {
inline namespace TENON_ISA_NAMESPACE {

/// Runs a convolution and the pointwise one that alone reads its activated result (a block's last and the next block's
/// first), strip of rows by strip of rows: the strip stays in this core's cache, and the arena has no place for the
/// value. Ranks share the strips.
///
/// Law: as run_conv, a tile's value depends neither on the ranks nor on the strip it falls into
/// (test: tests/runtime/determinism_test.cpp).
template <ConvSpec First, ConvSpec Second>
void run_chain(const Step& first, const Frame& frame) {
    const Step& second = frame.followers[first.follower];
    const int rows = first.grid.rows, ranks = frame.team->size();
    const int strip_rows = std::max(1, std::min(first.activated.strip_rows, rows * frame.images / ranks));
    const int strips_of_image = (rows + strip_rows - 1) / strip_rows, strips = strips_of_image * frame.images;
    const Items items = frame.team->deal_items(strips);
    frame.team->run([&](int rank, int size) {
        zero_borders(first, frame, rank, size);
        zero_borders(second, frame, rank, size);
        float* const memory = frame.scratch + rank * frame.scratch_floats;
        float* const behind = memory + first.activated.floats();
        TileRun<First> from{first, frame, behind, streams_weights(first, first.panels)};
        TileRun<Second> to{second, frame, behind, streams_weights(second, second.panels)};
        for (int s = frame.team->take_item(items, rank); s >= 0; s = frame.team->take_item(items, rank)) {
            const int begin = s % strips_of_image * strip_rows, end = std::min(begin + strip_rows, rows);
            const int image_row = s / strips_of_image * rows;
            const auto tiles = [&](const TileGrid& grid) {
                return Range{(image_row + begin) * grid.per_row, (image_row + end) * grid.per_row};
            };
            from.strip(memory, begin);
            to.strip(memory, begin);
            from(tiles(first.grid), {0, first.panels}, first.panels);
            to(tiles(second.grid), {0, second.panels}, second.panels);
        }
    });
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon
