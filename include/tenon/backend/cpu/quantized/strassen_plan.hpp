#pragma once
// IWYU pragma: private, include <tenon/inference.hpp>

// Which pointwise convolutions of bytes are computed by Strassen's algorithm, and what it stores.
//
// Its bounds: codes are at most 255, so sums of pixels (S4 has the most terms) are within +-510, and with weights of
// +-127 those of weights within +-508. Both fit into 16 bits. Products are summed up modulo 2^32.

#include <tenon/backend/cpu/plan/specs.hpp>
#include <tenon/backend/cpu/quantized/step.hpp>

namespace tenon::cpu {
inline namespace TENON_ISA_NAMESPACE {

/// Pixels of each of a pair's two tiles.
constexpr int strassen_tile_pixels(const Step& step) { return (step.grid.big + 1) / 2; }

/// Floats of what is stored for a pair of tiles: five operands of half the depth.
constexpr long strassen_operands(const Step& step) {
    return 5L * (step.terms[0].planes / 2) * strassen_tile_pixels(step) * channel_block;
}

/// The pairs of tiles that go through all panels together: their operands stay in the second-level cache.
constexpr int strassen_chunk(const Step& step) {
    const long fit = CacheShare::integer_strassen_chunk / (4 * step.pair_floats);
    return fit < 1 ? 1 : static_cast<int>(fit);
}

/// A worker's scratch memory: zeros and two sets of sums, and the operands of a chunk.
constexpr long strassen_scratch(const Step& step) {
    return 3L * strassen_tile_pixels(step) * panel_blocks * channel_block + strassen_chunk(step) * step.pair_floats;
}

/// Makes a step use Strassen's algorithm if its shape allows it and it is deep enough to gain: all channels in pairs of
/// planes and of panels, and a map that is read as one long row. `wraps` is the width of the map's rows where results
/// have borders, else 0.
constexpr void choose_integer_strassen(QuantizedStep& step, int wraps) {
    const StepTerm& term = step.terms[0];
    const Tensor& result = step.result();
    if (has_dot4 || panel_blocks != 1 || step.source_codes.storage != Storage::u8) return;
    if (term.planes % 2 != 0 || step.words % channel_block != 0 || result.planes() % 2 != 0) return;
    if (term.group_inputs < Rates::integer_strassen_depth) return;
    TileGrid grid = make_grid(1, result.pixels(), 2 * tile_pixels);
    grid.wraps = wraps;
    if (grid.crossings() > 2 || grid.big < tile_pixels + 2) return;
    step.grid = grid;
    step.pair_floats = strassen_operands(step);
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::cpu
