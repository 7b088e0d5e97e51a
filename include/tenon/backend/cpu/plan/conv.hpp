#pragma once
// IWYU pragma: private, include <tenon/inference.hpp>

// What plans know about convolutions on the CPU: how a step computes one, and which steps may be joined.

#include <tenon/backend/cpu/plan/strassen.hpp>

namespace tenon::cpu {
inline namespace TENON_ISA_NAMESPACE {

/// A first convolution with fewer input channels than this reads the input as planes, so that no products with padding
/// are computed; with more channels, blocks of 16 are full enough.
inline constexpr int min_blocked_channels = 16;

/// The tiles of a convolution step. Where the map can be read as one long row, and is no strip, tiles may run over the
/// ends of its rows if that saves enough tiles.
constexpr TileGrid choose_grid(const Step& step, bool flat, bool paired) {
    const Tensor& result = step.result();
    TileGrid grid = make_grid(result.height, result.width, tile_pixels, paired);
    if (!flat) return grid;
    TileGrid row = make_grid(1, result.pixels(), tile_pixels, paired);
    const bool dense = !step.target.has_border() && !step.activated.has_border() && !step.residual.has_border();
    if (!dense) row.wraps = result.width;
    if (dense || (row.crossings() <= 2 && 20 * cost_of(row, paired) < 19 * cost_of(grid, paired))) grid = row;
    return grid;
}

/// Completes a directly computed convolution step whose tensors and windows are set: tiles, panels, and which planes of
/// its sources they read. `by_rows` keeps each tile in one row. Returns the depth: the number of products in a sum.
constexpr long plan_direct_conv(Step& step, ConvAlgorithm algorithm = ConvAlgorithm::exact, bool by_rows = false) {
    const Tensor& result = step.result();
    const int outputs = result.channels;
    // Whether the map can be computed as one long row, and whether its tensors are one, too.
    bool flat = !by_rows && (!step.residual.exists() || step.residual_stride == 1);
    long depth = 0;
    for (StepTerm& term : step.terms) {
        if (!term.exists()) continue;
        flat = flat && term.window.is_pointwise() && term.window.stride_height == 1 && term.window.stride_width == 1 &&
               !term.source.has_border();
        term.group_inputs = term.source.channels / term.groups;
        term.group_outputs = outputs / term.groups;
        term.planes = term.source.planes();
        if (term.groups > 1) {
            int max_planes = 1;
            for (int first = 0; first < result.planes(); first += panel_blocks) {
                const int last = std::min((first + panel_blocks) * channel_block, outputs) - 1;
                const int from = first * channel_block / term.group_outputs * term.group_inputs / channel_block;
                const int to = ((last / term.group_outputs + 1) * term.group_inputs - 1) / channel_block;
                max_planes = std::max(max_planes, to - from + 1);
            }
            term.planes = max_planes;
        }
        depth += long{term.planes} * term.source.pixel() * term.window.taps();
    }
    step.grid = choose_grid(step, flat, false);
    step.panels = (result.planes() + panel_blocks - 1) / panel_blocks;
    step.panel_floats = depth * panel_blocks * channel_block;
    if (algorithm == ConvAlgorithm::fast) choose_strassen(step, choose_grid(step, flat, true));
    return depth;
}

/// The same for a convolution that is computed by Winograd; `step.winograd` is set. The depth counts all points of a
/// tile or, where filters are plain, the nine taps.
constexpr long plan_winograd_conv(Step& step) {
    const Tensor& result = step.result();
    StepTerm& term = step.terms[0];
    term.planes = term.source.planes();
    term.group_inputs = term.source.channels;
    term.group_outputs = result.channels;
    const bool plain = step.winograd.plain_filters;
    const long depth = long{term.planes} * channel_block * (plain ? 9 : step.winograd.points());
    const int blocks = plain ? 1 : panel_blocks;
    step.panels = (result.planes() + blocks - 1) / blocks;
    step.panel_floats = depth * blocks * channel_block;
    return depth;
}

/// Whether the sums of two convolutions are computed in one step: not where one of them is computed by Winograd, which
/// gains more than it costs to store the other's results and read them again.
struct JoinsUnlessWinograd {
    ConvAlgorithm algorithm = ConvAlgorithm::exact;

    template <Capacity C>
    constexpr bool operator()(const Program<C>& program, const Op& a, const Op& b) const {
        if (algorithm == ConvAlgorithm::exact) return true;
        const auto is_winograd = [&](const Op& op) {
            return choose_constant_winograd<tile_pixels>(op.terms[0], program.values[op.source()],
                                                         program.values[op.target])
                       .m > 0;
        };
        return !is_winograd(a) && !is_winograd(b);
    }
};

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::cpu
