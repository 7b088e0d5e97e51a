// A convolution and the pooling behind it as one step: the map between them, the largest of many networks, is never
// whole in memory.
#pragma once

#include <algorithm>

#include <tenon/backend/cpu/conv.hpp>
#include <tenon/backend/cpu/pool.hpp>

namespace tenon {
inline namespace TENON_ISA_NAMESPACE {

/// Moves rows [begin, end) of a strip in `memory` to where row 0 is.
inline void move_rows(const Tensor& strip, float* memory, int begin, int end) {
    if (begin == 0 || begin >= end) return;
    for (int plane = 0; plane < strip.planes(); ++plane, memory += strip.plane())
        std::copy(memory + static_cast<long>(begin) * strip.row(), memory + static_cast<long>(end) * strip.row(),
                  memory);
}

/// Runs a convolution and the pooling that alone reads its result, strip of rows by strip of rows: the rows stay in
/// this core's cache until they are pooled, and those that the next strip reads as well are kept. Ranks share the
/// strips of pooled rows; one that does not follow the rank's strip before computes again what both read.
///
/// Law: as run_conv, a pixel's value depends neither on the ranks nor on the strip it falls into
/// (test: tests/runtime/determinism_test.cpp).
template <ConvSpec First>
void run_pool_chain(const Step& first, const Frame& frame) {
    const Step& pool = frame.followers[first.follower];
    const Tensor& strip = first.target;
    const Window& window = pool.window();
    const int rows = pool.result().height, ranks = frame.team->size();
    const int fitting = (strip.strip_rows - window.kernel_height) / window.stride_height + 1;
    const int strip_rows = std::max(1, std::min(fitting, rows * frame.images / ranks));
    const int strips_of_image = (rows + strip_rows - 1) / strip_rows, strips = strips_of_image * frame.images;
    const Items items = frame.team->deal_items(strips);
    frame.team->run([&](int rank, int size) {
        zero_borders(pool, frame, rank, size);
        float* const memory = frame.scratch + rank * frame.scratch_floats;
        TileRun<First> run{first, frame, nullptr, streams_weights(first, first.panels)};
        int before = -2;  // the strip before, whose last rows the memory holds
        Range held{};
        for (int s = frame.team->take_item(items, rank); s >= 0; s = frame.team->take_item(items, rank)) {
            const int image = s / strips_of_image;
            const int begin = s % strips_of_image * strip_rows, end = std::min(begin + strip_rows, rows);
            const Range needed{
                std::max(begin * window.stride_height - window.top, 0),
                std::min((end - 1) * window.stride_height - window.top + window.kernel_height, strip.height)};
            if (begin == 0 || s != before + 1 || held.end <= needed.begin) held = {needed.begin, needed.begin};
            move_rows(strip, memory, needed.begin - held.begin, held.end - held.begin);
            const auto tiles_to = [&](int row) { return (image * first.grid.rows + row) * first.grid.per_row; };
            run.strip(memory, needed.begin);
            run({tiles_to(held.end), tiles_to(needed.end)}, {0, first.panels}, first.panels);
            held = needed;
            before = s;
            for (int plane = 0; plane < strip.planes(); ++plane) {
                const float* from =
                    memory + static_cast<long>(plane) * strip.plane() - static_cast<long>(needed.begin) * strip.row();
                pool_rows(pool, Finish{pool, frame, image, plane}, from, {begin, end});
            }
        }
    });
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon
