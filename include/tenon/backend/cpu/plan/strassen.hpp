#pragma once
// IWYU pragma: private, include <tenon/inference.hpp>

// Which pointwise convolutions are computed by Strassen's algorithm: decided by their shapes.

#include <tenon/backend/cpu/plan/specs.hpp>
#include <tenon/backend/cpu/plan/winograd.hpp>

namespace tenon::cpu {
inline namespace TENON_ISA_NAMESPACE {

/// Estimated cost of pointwise convolutions, in cycles of one core. Products and the streaming of weights cost what
/// WinogradRates says, with 7/4 as many weights here. Sums of pixels are computed once; sums of products pass through
/// the first-level cache once per panel (machine.hpp).
struct StrassenRates {
    /// The cost of a plain sum of products of `depth` channels.
    static constexpr double direct_cycles(const TileGrid& grid, double depth, double outputs) {
        return at_least_streamed(cost_of(grid) * depth * outputs / Rates::products_per_cycle, 4 * depth * outputs);
    }
    static constexpr double cycles(const TileGrid& grid, double depth, double outputs) {
        const double pixels = static_cast<double>(grid.tiles()) * grid.big;
        const double products = cost_of(grid, true) * depth * outputs / Rates::products_per_cycle * 7 / 8;
        return at_least_streamed(products + pixels * depth * Rates::strassen_combined_float +
                                     pixels * outputs * Rates::strassen_passed_float,
                                 7 * depth * outputs);
    }

private:
    static constexpr double at_least_streamed(double cycles, double weight_bytes) {
        const double streamed = WinogradRates::stream_cycles(weight_bytes);
        return cycles > streamed ? cycles : streamed;
    }
};

/// Whether the tiles of a step can be computed in pairs at all: pixels and channels come in even numbers of tiles,
/// planes and panels, and the windows of neighboring pixels are neighbors.
constexpr bool allows_strassen(const Step& step, const TileGrid& grid) {
    if (step.result().planes() % (2 * panel_blocks) != 0 || grid.tiles() % 2 != 0) return false;
    if (grid.per_row > 1 && (grid.per_row % 2 != 0 || grid.big < 2)) return false;
    // Strips consist of complete rows of tiles; those before a pooling may have any number of rows.
    if (step.target.is_strip()) return false;
    if ((step.activated.is_strip() || step.source().is_strip()) && grid.per_row == 1) return false;
    for (const StepTerm& term : step.terms) {
        if (!term.exists()) continue;
        const Window& window = term.window;
        if (!window.is_pointwise() || window.stride_height != 1 || window.stride_width != 1 || term.groups != 1 ||
            term.source.planar || term.planes % 2 != 0)
            return false;
        if (grid.rows_per_tile > 1 && term.source.row() != step.source().row()) return false;
    }
    return true;
}

/// Makes a planned step use Strassen's algorithm on a grid of paired tiles, if the estimate is at least a fiftieth
/// below that of the plain sum.
constexpr void choose_strassen(Step& step, const TileGrid& grid) {
    if (!allows_strassen(step, grid)) return;
    const double outputs = step.result().planes() * double{channel_block};
    const double depth = static_cast<double>(step.panel_floats) / (panel_blocks * channel_block);
    if (depth < Rates::strassen_depth) return;
    if (StrassenRates::cycles(grid, depth, outputs) >
        Rates::strassen_gain * StrassenRates::direct_cycles(step.grid, depth, outputs))
        return;
    step.grid = grid;
    step.panel_floats = step.panel_floats / 4 * 7;
    const TileSpec tile = tile_spec(step, grid.big, grid.rows_per_tile, panel_blocks);
    const StrassenSpec spec{tile, strassen_pairs(grid).mixed ? grid.small : grid.big};
    step.pair_panels = 8 * step.panel_floats > CacheShare::strassen_pair ? 8 : 1;
    step.pair_floats = step.pair_panels * strassen_sums + spec.operands() * strassen_operand_floats(step, spec.plane());
}

/// Floats of a worker's scratch memory for a planned step: for the pairs of tiles that are computed together, placed
/// after the strip of a chain.
constexpr long strassen_scratch_floats(const Step& step) {
    if (step.pair_floats == 0) return 0;
    for (const Tensor& tensor : {step.source(), step.activated})
        if (tensor.is_strip()) return tensor.floats() + tensor.strip_rows * step.grid.per_row / 2 * step.pair_floats;
    return units_in(CacheShare::streamed_chunk, 2 * step.tile_bytes(panel_blocks), 2) * step.pair_floats;
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::cpu
