// Which convolutions are computed by Winograd's minimal filtering, and how their maps are cut: decided from the shapes.
#pragma once

#include <tenon/program/program.hpp>

namespace tenon {

/// How convolutions may be computed.
enum class ConvAlgorithm {
    exact,  ///< only as sums of products
    fast,   ///< by Winograd where that is faster: rounding errors about twice as large, within 1e-5 of the largest
            ///< result
};

/// The output tiles of F(m x m, 3x3): m = 2 or 4 pixels a side from windows of m + 2.
struct WinogradGrid {
    int m = 0;                 ///< 0: direct
    int down = 0, across = 0;  ///< tiles of a map; the last ones may reach over its edge
    int tile = 0;              ///< Winograd tiles of one register tile
    int strip = 0;             ///< Winograd tiles that are transformed together, a multiple of `tile`

    constexpr int points() const { return (m + 2) * (m + 2); }
    constexpr int tiles() const { return down * across; }
    /// Rows and columns of the padded source that the tiles read.
    constexpr int source_rows() const { return down * m + 2; }
    constexpr int source_columns() const { return across * m + 2; }

    /// Floats between the points of the transformed input, and of the products of a panel: one cache line more than
    /// needed, as points at power-of-two distances would share cache sets.
    constexpr long input_point(int planes) const { return 16L * strip * planes + 16; }
    constexpr long product_point(int panel_blocks) const { return 16L * strip * panel_blocks + 16; }
    constexpr long scratch_floats(int planes, int panel_blocks) const {
        return points() * (input_point(planes) + product_point(panel_blocks));
    }
};

/// Cuts `tiles` Winograd tiles into register tiles of at most `most`: as little waste and as few as can be.
constexpr int winograd_register_tile(int tiles, int most) {
    int best = 1;
    double best_cost = 1e30;
    for (int size = most; size >= (most + 1) / 2; --size) {
        const double cost = (tiles + size - 1) / size * (size + 2.5);
        if (cost < best_cost) {
            best = size;
            best_cost = cost;
        }
    }
    return best;
}

/// The grid of F(m x m) for a map.
constexpr WinogradGrid winograd_grid(int m, const Shape& output, int planes, int most_pixels) {
    WinogradGrid grid{};
    grid.m = m;
    grid.down = (output.height + m - 1) / m;
    grid.across = (output.width + m - 1) / m;
    grid.tile = winograd_register_tile(grid.tiles(), most_pixels);
    // Weights that stay in the second-level cache leave a part of it to a strip; others are streamed once per strip,
    // which is then as long as the cache is large.
    const long weight_bytes = 64L * planes * output.channels * grid.points();
    const long input_bytes = weight_bytes <= (768 << 10) ? 256 << 10 : 1 << 20;
    const long fit = input_bytes / (64L * planes * grid.points() * grid.tile);
    const int needed = (grid.tiles() + grid.tile - 1) / grid.tile;
    grid.strip = grid.tile * static_cast<int>(fit < 1 ? 1 : fit < needed ? fit : needed);
    return grid;
}

/// The estimated cycles of a 3x3 convolution of `inputs` to `outputs` channels directly (m = 0) or by F(m x m): the
/// multiply-adds at 32 a cycle, the transforms, and never less than it takes to stream the weights from memory.
/// The rates were measured with benchmarks/layers (docs/design.md).
constexpr double winograd_cycles(const WinogradGrid& grid, const Shape& output, int inputs, int outputs) {
    constexpr double products_per_cycle = 32, streamed_bytes_per_cycle = 10;
    const double pairs = static_cast<double>(inputs) * outputs;
    if (grid.m == 0) {
        const double products = 9 * pairs * static_cast<double>(output.pixels());
        const double stream = 36 * pairs / streamed_bytes_per_cycle;
        return products / products_per_cycle > stream ? products / products_per_cycle : stream;
    }
    const double per_input = grid.m == 4 ? 220 : 90, per_output = grid.m == 4 ? 180 : 70;
    const double tiles = (grid.tiles() + grid.tile - 1) / grid.tile * grid.tile;
    const double products = tiles * (grid.points() * pairs + per_input * inputs + per_output * outputs);
    const double stream = 4.0 * grid.points() * pairs / streamed_bytes_per_cycle;
    return products / products_per_cycle > stream ? products / products_per_cycle : stream;
}

/// The algorithm of a convolution: the fastest by estimate, direct unless another one gains a tenth.
constexpr WinogradGrid choose_winograd(const ConvTerm& term, const Shape& input, const Shape& output, int most_pixels) {
    const Window& w = term.window;
    const WinogradGrid direct{};
    const bool applies = w.kernel_height == 3 && w.kernel_width == 3 && w.stride_height == 1 && w.stride_width == 1 &&
                         term.groups == 1 && input.channels >= 16;
    if (!applies) return direct;
    WinogradGrid best = direct;
    double best_cycles = 0.9 * winograd_cycles(direct, output, input.channels, output.channels);
    for (const int m : {2, 4}) {
        const WinogradGrid grid = winograd_grid(m, output, (input.channels + 15) / 16, most_pixels);
        const double cycles = winograd_cycles(grid, output, input.channels, output.channels);
        if (cycles < best_cycles) {
            best = grid;
            best_cycles = cycles;
        }
    }
    return best;
}

}  // namespace tenon
