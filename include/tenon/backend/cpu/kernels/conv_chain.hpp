#pragma once
// IWYU pragma: private, include <tenon/inference.hpp>

// Two convolutions as one step: the value that the first hands to the second is never complete in memory.

#include <tenon/backend/cpu/kernels/conv.hpp>
#include <tenon/core/compile_once.hpp>

namespace tenon::cpu {
inline namespace TENON_ISA_NAMESPACE {

/// Runs a convolution and the pointwise convolution that is the only reader of its activated result (the last one of a
/// block and the first one of the next), strip of rows by strip of rows: the strip stays in this core's cache, and the
/// arena has no place for the value. The workers divide the strips.
///
/// Law: as in run_conv, the value of a tile depends neither on the workers nor on the strip that it is in
/// (test: tests/runtime/determinism_test.cpp).
template <class Once = void>
[[gnu::noinline]] void run_chain_with(const ConvKernels& first_kernels, const ConvKernels& second_kernels,
                                      const Step& first, const Frame& frame) {
    const Step& second = frame.followers[first.follower];
    const int rows = first.grid.rows, workers = frame.team->size();
    const int strip_rows = std::max(1, std::min(first.activated.strip_rows, rows * frame.images / workers));
    const int strips_of_image = (rows + strip_rows - 1) / strip_rows, strips = strips_of_image * frame.images;
    frame.team->run_items(strips, [&](WorkerItems& items) {
        zero_borders(first, frame, items.worker, items.workers);
        zero_borders(second, frame, items.worker, items.workers);
        float* const memory = frame.scratch + items.worker * frame.scratch_floats;
        float* const after_strip = memory + first.activated.floats();
        TileRun from{first, frame, first_kernels, after_strip, streams_weights(first, first.panels)};
        TileRun to{second, frame, second_kernels, after_strip, streams_weights(second, second.panels)};
        for (int s = items.next(); s >= 0; s = items.next()) {
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
TENON_COMPILE_ONCE(void run_chain_with<void>(const ConvKernels&, const ConvKernels&, const Step&, const Frame&));

template <ConvSpec First, ConvSpec Second>
void run_chain(const Step& first, const Frame& frame) {
    run_chain_with(conv_kernels<First>, conv_kernels<Second>, first, frame);
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::cpu
