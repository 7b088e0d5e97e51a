// Which pointwise convolutions are computed by Strassen's algorithm: decided from the shapes.
#pragma once

#include <tenon/backend/cpu/conv.hpp>
#include <tenon/backend/cpu/winograd_plan.hpp>

namespace tenon {
inline namespace TENON_ISA_NAMESPACE {

/// What pointwise convolutions cost in cycles of one core, estimated: see WinogradRates for products and the streaming
/// of weights, which are 7/4 as many here. Sums of pixels are computed once, sums of products pass through the
/// first-level cache once for each panel. The rates were measured (docs/design.md).
struct StrassenRates {
    static constexpr double cycles_per_combined_float = 0.27, cycles_per_passed_float = 0.45;

    /// Of a plain sum of products of `depth` channels.
    static constexpr double direct_cycles(const TileGrid& grid, double depth, double outputs) {
        return at_least_streamed(cost_of(grid) * depth * outputs / WinogradRates::products_per_cycle,
                                 4 * depth * outputs);
    }
    static constexpr double cycles(const TileGrid& grid, double depth, double outputs) {
        const double pixels = static_cast<double>(grid.tiles()) * grid.big;
        const double products = cost_of(grid, true) * depth * outputs / WinogradRates::products_per_cycle * 7 / 8;
        return at_least_streamed(
            products + pixels * depth * cycles_per_combined_float + pixels * outputs * cycles_per_passed_float,
            7 * depth * outputs);
    }

private:
    static constexpr double at_least_streamed(double cycles, double weight_bytes) {
        const double streamed = WinogradRates::stream_cycles(weight_bytes);
        return cycles > streamed ? cycles : streamed;
    }
};

/// Weights of a pair of panels that stay in the second-level cache beside the sums of pixels; with more, several pairs
/// of panels are worked off product by product.
inline constexpr long most_right_bytes = 256 << 10;

/// Products need this depth to be worth their beginnings and ends: with AVX2's small tiles those of 64 and 128 channels
/// lost up to a fifth (docs/design.md).
inline constexpr int least_strassen_depth = lanes == block ? 64 : 256;

/// Whether tiles of a step can be computed in pairs at all: pixels and channels come in even numbers of tiles, planes
/// and panels, and each pixel's window is its neighbour's neighbour.
constexpr bool allows_strassen(const Step& step, const TileGrid& grid) {
    if (step.result().planes() % (2 * panel_blocks) != 0 || grid.tiles() % 2 != 0) return false;
    if (grid.per_row > 1 && (grid.per_row % 2 != 0 || grid.big < 2)) return false;
    // Strips have whole rows of tiles; those of a pooling are computed in any number.
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

/// Lets a planned step be computed by Strassen's algorithm on a grid of paired tiles, if that gains a fiftieth by
/// estimate.
constexpr void choose_strassen(Step& step, const TileGrid& grid) {
    if (!allows_strassen(step, grid)) return;
    const double outputs = step.result().planes() * double{block};
    const double depth = static_cast<double>(step.panel_floats) / (panel_blocks * block);
    if (depth < least_strassen_depth) return;
    if (StrassenRates::cycles(grid, depth, outputs) > 0.98 * StrassenRates::direct_cycles(step.grid, depth, outputs))
        return;
    step.grid = grid;
    step.panel_floats = step.panel_floats / 4 * 7;
    const TileSpec tile = tile_spec(step, grid.big, grid.rows_per_tile, panel_blocks);
    const StrassenSpec spec{tile, strassen_pairs(grid).mixed ? grid.small : grid.big};
    step.pair_panels = 8 * step.panel_floats > most_right_bytes ? 8 : 1;
    step.pair_floats = step.pair_panels * strassen_sums + spec.operands() * strassen_operand_floats(step, spec);
}

/// What a rank stores for a planned step: of pairs of tiles that are worked off together, behind the strip of a chain.
constexpr long strassen_scratch_floats(const Step& step) {
    if (step.pair_floats == 0) return 0;
    for (const Tensor& tensor : {step.source(), step.activated})
        if (tensor.is_strip()) return tensor.floats() + tensor.strip_rows * step.grid.per_row / 2 * step.pair_floats;
    return units_in(most_chunk_bytes, 2 * step.tile_bytes(panel_blocks), 2) * step.pair_floats;
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon
