// Which convolutions are computed by Winograd's minimal filtering, and how their maps are cut: decided from the shapes.
#pragma once

#include <tenon/core/isa.hpp>
#include <tenon/program/program.hpp>

namespace tenon {

/// How convolutions may be computed.
enum class ConvAlgorithm {
    exact,  ///< only as sums of products
    fast,   ///< by Winograd or Strassen where that is faster: rounding errors about twice as large, within 1e-5 of the
            ///< largest result
};

inline namespace TENON_ISA_NAMESPACE {

/// How so many Winograd tiles are cut into register tiles of three widths: as little work as can be. Which tiles share
/// a register tile changes no value.
template <int Most>
class WinogradTiles {
public:
    /// The widths there is code for, largest first.
    static constexpr int widths[3] = {Most, (4 * Most + 6) / 7, (2 * Most + 6) / 7};

    /// The register tile that `count` tiles begin with.
    static constexpr int first(int count) { return count >= table_size ? Most : table.width[count]; }

    /// The tiles that register tiles for `count` tiles hold, some of them empty.
    static constexpr int padded(int count) {
        int sum = 0;
        for (; count > 0; count -= first(count)) sum += first(count);
        return sum;
    }

private:
    static constexpr int table_size = 4 * Most;
    struct Table {
        int width[array_bound<table_size>]{};
    };
    /// A register tile of w tiles costs as much as w + 2.5: the loads of weights are shared.
    static constexpr Table table = [] {
        Table result{};
        double cost[array_bound<table_size>]{};
        for (int count = 1; count < table_size; ++count)
            for (const int width : widths) {
                const double with = width + 2.5 + (count > width ? cost[count - width] : 0);
                if (result.width[count] > 0 && with >= cost[count]) continue;
                cost[count] = with;
                result.width[count] = width;
            }
        return result;
    }();
};

/// Winograd tiles of a register tile on plain filters.
inline constexpr int filter_tiles = 4;

/// Whether plain filters are used: not with 16 registers, where a point that is formed serves too few products.
#if defined(__AVX512F__)
inline constexpr bool allows_plain_filters = true;
#else
inline constexpr bool allows_plain_filters = false;
#endif

/// The output tiles of F(m x m, 3x3): m = 2 or 4 pixels a side from windows of m + 2.
struct WinogradGrid {
    int m = 0;                 ///< 0: direct
    int down = 0, across = 0;  ///< tiles of a map; the last ones may reach over its edge
    int strip = 0;             ///< most tiles that are transformed together, of one image or several
    int room = 0;              ///< what the register tiles of a strip hold
    /// Whether filters are stored as they are and transformed where they are multiplied, not when weights are packed.
    bool plain_filters = false;

    constexpr int points() const { return (m + 2) * (m + 2); }
    constexpr int tiles() const { return down * across; }
    /// Rows and columns of the padded source that the tiles read.
    constexpr int source_rows() const { return down * m + 2; }
    constexpr int source_columns() const { return across * m + 2; }

    /// Floats between the points of the transformed input, and of the products of a panel: one cache line more than
    /// needed, as points at power-of-two distances would share cache sets.
    constexpr long input_point(int planes) const { return 16L * room * planes + 16; }
    constexpr long product_point(int blocks) const { return 16L * room * blocks + 16; }
    constexpr long scratch_floats(int planes, int blocks) const {
        return points() * (input_point(planes) + product_point(blocks));
    }
};

/// The tiles that a grid's register tiles of at most `Most` tiles hold for `count` tiles.
template <int Most>
constexpr int padded_tiles(const WinogradGrid& grid, int count) {
    if (!grid.plain_filters) return WinogradTiles<Most>::padded(count);
    return (count + filter_tiles - 1) / filter_tiles * filter_tiles;
}

/// The grid of F(m x m) for a map, with register tiles of at most `Most` tiles, for batches of so many images.
template <int Most>
constexpr WinogradGrid winograd_grid(int m, const Shape& output, int planes, int images = 1) {
    WinogradGrid grid{};
    grid.m = m;
    grid.down = (output.height + m - 1) / m;
    grid.across = (output.width + m - 1) / m;
    // Weights that stay in the second-level cache leave a part of it to a strip; others are streamed once per strip,
    // which is then as long as the cache is large, or, for many images, a share of the next one.
    const long tile_bytes = 64L * planes * grid.points(), weight_bytes = tile_bytes * output.channels;
    const long fit = (weight_bytes <= (768 << 10) ? 256 << 10 : images > 1 ? 4 << 20 : 1 << 20) / tile_bytes;
    constexpr long least = WinogradTiles<Most>::widths[2], most = 8 * Most;
    grid.strip = static_cast<int>(fit < least ? least : fit < most ? fit : most);
    for (int count = 1; count <= grid.strip; ++count) {
        const int padded = WinogradTiles<Most>::padded(count);
        grid.room = grid.room < padded ? padded : grid.room;
    }
    return grid;
}

/// The grid of F(4x4) on plain filters, with strips that leave a part of the second-level cache to a panel's filters.
template <int Most>
constexpr WinogradGrid plain_filter_grid(const Shape& output, int planes) {
    WinogradGrid grid = winograd_grid<Most>(4, output, planes);
    const long fit = (640 << 10) / (64L * planes * grid.points() * filter_tiles);
    grid.strip = grid.room = static_cast<int>(fit < 1 ? 1 : fit) * filter_tiles;
    grid.plain_filters = true;
    return grid;
}

/// What convolutions cost in cycles of one core, estimated: multiply-adds at 16 a cycle, the transforms, and never less
/// than it takes to stream weights that don't stay in a cache from memory. The rates were measured (docs/design.md).
struct WinogradRates {
    static constexpr double products_per_cycle = 16, streamed_bytes_per_cycle = 6;
    static constexpr double cached_bytes = 768 << 10;
    /// What the 36 products of a tile cost where a filter is transformed for every four of them.
    static constexpr double plain_filter_products = 46;

    /// Of a 3x3 convolution as a plain sum.
    static constexpr double direct_cycles(const Shape& output, int inputs, int outputs) {
        const double pairs = static_cast<double>(inputs) * outputs;
        return larger(9 * pairs * static_cast<double>(output.pixels()) / products_per_cycle, stream_cycles(36 * pairs));
    }

    /// Of F(m x m) on so many tiles, in strips that each read all weights.
    static constexpr double cycles(const WinogradGrid& grid, double tiles, double inputs, double outputs, int strips) {
        const double per_input = grid.m == 4 ? 220 : 90, per_output = grid.m == 4 ? 180 : 70;
        const double points = grid.plain_filters ? plain_filter_products : grid.points();
        const double products = points * inputs * outputs + per_input * inputs + per_output * outputs;
        const double weights = grid.plain_filters ? 9 : grid.points();
        return larger(tiles * products / products_per_cycle, strips * stream_cycles(4 * weights * inputs * outputs));
    }

    /// Of weights that don't stay in a cache.
    static constexpr double stream_cycles(double bytes) {
        return bytes > cached_bytes ? bytes / streamed_bytes_per_cycle : 0;
    }

private:
    static constexpr double larger(double a, double b) { return a > b ? a : b; }
};

/// Whether Winograd's algorithm computes a convolution at all.
constexpr bool allows_winograd(const ConvTerm& term, const Shape& input) {
    const Window& w = term.window;
    return w.kernel_height == 3 && w.kernel_width == 3 && w.stride_height == 1 && w.stride_width == 1 &&
           term.groups == 1 && input.channels >= 16;
}

/// The algorithm of a convolution: the fastest for so many images by estimate, direct unless another one gains a tenth.
template <int Most>
constexpr WinogradGrid choose_winograd(const ConvTerm& term, const Shape& input, const Shape& output, int images = 1) {
    const WinogradGrid direct{};
    if (!allows_winograd(term, input)) return direct;
    WinogradGrid best = direct;
    double best_cycles = 0.9 * images * WinogradRates::direct_cycles(output, input.channels, output.channels);
    for (const int m : {2, 4}) {
        const WinogradGrid grid = winograd_grid<Most>(m, output, (input.channels + 15) / 16, images);
        const int tiles = images * grid.tiles(), strips = (tiles + grid.strip - 1) / grid.strip;
        // A single image's strips are not counted: these choices were measured (docs/design.md).
        const double cycles = WinogradRates::cycles(grid, WinogradTiles<Most>::padded(tiles), input.channels,
                                                    output.channels, images > 1 ? strips : 1);
        if (cycles < best_cycles) {
            best = grid;
            best_cycles = cycles;
        }
    }
    return best;
}

/// The same for weights that don't change: filters may be transformed where they are multiplied.
template <int Most>
constexpr WinogradGrid choose_constant_winograd(const ConvTerm& term, const Shape& input, const Shape& output) {
    const WinogradGrid best = choose_winograd<Most>(term, input, output);
    if (!allows_plain_filters || !allows_winograd(term, input)) return best;
    const auto cycles = [&](const WinogradGrid& grid) {
        return WinogradRates::cycles(grid, padded_tiles<Most>(grid, grid.tiles()), input.channels, output.channels, 1);
    };
    const double best_cycles =
        best.m > 0 ? cycles(best) : 0.9 * WinogradRates::direct_cycles(output, input.channels, output.channels);
    const WinogradGrid plain = plain_filter_grid<Most>(output, (input.channels + 15) / 16);
    return cycles(plain) < best_cycles ? plain : best;
}

/// The same for the gradient of a convolution's weights, which are summed up where they are, not streamed.
template <int Most>
constexpr WinogradGrid choose_winograd_gradient(const ConvTerm& term, const Shape& input, const Shape& output) {
    WinogradGrid best{};
    if (!allows_winograd(term, input)) return best;
    double best_cycles = 0.9 * WinogradRates::direct_cycles(output, input.channels, output.channels);
    for (const int m : {2, 4}) {
        const WinogradGrid grid = winograd_grid<Most>(m, output, (input.channels + 15) / 16);
        const double cycles = WinogradRates::cycles(grid, grid.tiles(), input.channels, output.channels, 0);
        if (cycles < best_cycles) {
            best = grid;
            best_cycles = cycles;
        }
    }
    return best;
}

}  // namespace TENON_ISA_NAMESPACE

}  // namespace tenon
