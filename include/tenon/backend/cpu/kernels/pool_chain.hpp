#pragma once
// IWYU pragma: private, include <tenon/inference.hpp>

// A convolution and the pooling after it as one step: the map between them, the largest one of many networks, is never
// complete in memory.

#include <tenon/backend/cpu/kernels/conv.hpp>
#include <tenon/backend/cpu/kernels/pool.hpp>
#include <tenon/core/compile_once.hpp>
#include <tenon/core/min_max.hpp>

namespace tenon::cpu {
inline namespace TENON_ISA_NAMESPACE {

/// Moves rows [begin, end) of a strip in `memory` to where row 0 is.
inline void move_rows(const Tensor& strip, float* memory, int begin, int end) {
    if (begin == 0 || begin >= end) return;
    for (int plane = 0; plane < strip.planes(); ++plane, memory += strip.plane())
        std::copy(memory + long{begin} * strip.row(), memory + long{end} * strip.row(), memory);
}

/// Runs a convolution and the pooling that is the only reader of its result, strip of rows by strip of rows: rows stay
/// in this core's cache until they are pooled, and those that the next strip needs too are kept. The workers divide the
/// strips of pooled rows; a worker whose strip does not follow its previous one recomputes the rows that both need.
///
/// Law: as in run_conv, the value of a pixel depends neither on the workers nor on the strip that it is in
/// (test: tests/runtime/determinism_test.cpp).
template <class Once = void>
[[gnu::noinline]] void run_pool_chain_with(const ConvKernels& kernels, const Step& first, const Frame& frame) {
    const Step& pool = frame.followers[first.follower];
    const Tensor& strip = first.target;
    const Window& window = pool.window();
    const int rows = pool.result().height, workers = frame.team->size();
    const int fitting = (strip.strip_rows - window.kernel_height) / window.stride_height + 1;
    const int strip_rows = std::max(1, std::min(fitting, rows * frame.images / workers));
    const int strips_of_image = (rows + strip_rows - 1) / strip_rows, strips = strips_of_image * frame.images;
    frame.team->run_items(strips, [&](WorkerItems& items) {
        zero_borders(pool, frame, items.worker, items.workers);
        float* const memory = frame.scratch + items.worker * frame.scratch_floats;
        TileRun run{first, frame, kernels, nullptr, streams_weights(first, first.panels)};
        int before = -2;  // the previous strip, whose last rows are still in memory
        Range held{};
        for (int s = items.next(); s >= 0; s = items.next()) {
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
                const float* from = memory + long{plane} * strip.plane() - long{needed.begin} * strip.row();
                pool_rows(pool, Epilogue{pool, frame, image, plane}, from, {begin, end});
            }
        }
    });
}
TENON_COMPILE_ONCE(void run_pool_chain_with<void>(const ConvKernels&, const Step&, const Frame&));

template <ConvSpec First>
void run_pool_chain(const Step& first, const Frame& frame) {
    run_pool_chain_with(conv_kernels<First>, first, frame);
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::cpu
