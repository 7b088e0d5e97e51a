#pragma once
// IWYU pragma: private, include <tenon/inference.hpp>

// Which convolutions are computed by Winograd's minimal filtering, and how their maps are cut: decided by the shapes.

#include <tenon/backend/cpu/layout/channel_block.hpp>
#include <tenon/backend/cpu/machine.hpp>
#include <tenon/backend/shared/namespaces.hpp>
#include <tenon/program/program.hpp>

namespace tenon::cpu {

/// How convolutions may be computed.
enum class ConvAlgorithm {
    exact,  ///< only as sums of products
    fast,   ///< by Winograd or Strassen where that is faster: rounding errors are about twice as large, within 1e-5 of
            ///< the largest result
};

inline namespace TENON_ISA_NAMESPACE {

/// How a number of Winograd tiles is cut into register tiles of three widths, with as little work as possible. A tile's
/// value does not depend on which others share its register tile.
///
/// Examples, widths 14, 8, 4 (MaxTiles = 14), tiles -> register tiles:
///     4 -> 4;  9 -> 14 (5 places empty: 8 + 4 would cost more);  16 -> 8 + 8;  49 -> 14 + 14 + 14 + 8
template <int MaxTiles>
class WinogradTiles {
public:
    /// The widths that there is code for, largest first.
    static constexpr int widths[3] = {MaxTiles, (4 * MaxTiles + 6) / 7, (2 * MaxTiles + 6) / 7};

    /// The width of the first register tile for `count` tiles.
    static constexpr int first(int count) { return count >= table_size ? MaxTiles : table.width[count]; }

    /// The places in all register tiles for `count` tiles; some may be empty. padded(49) = 50.
    static constexpr int padded(int count) {
        int sum = 0;
        if (count >= table_size) {  // as many of the largest as the loop would begin with
            sum = ((count - table_size) / MaxTiles + 1) * MaxTiles;
            count -= sum;
        }
        for (; count > 0; count -= first(count)) sum += first(count);
        return sum;
    }

    static constexpr int max_strip = 8 * MaxTiles;

    /// The places that any number of tiles up to `count`, at most `max_strip`, needs.
    static constexpr int room(int count) { return rooms.places[count]; }

private:
    static constexpr int table_size = 4 * MaxTiles;
    struct Rooms {
        int places[array_bound<max_strip + 1>]{};
    };
    struct Table {
        int width[array_bound<table_size>]{};
    };
    /// A register tile of w tiles costs w plus an overhead: its tiles share the loads of weights.
    static constexpr Table table = [] {
        Table result{};
        double cost[array_bound<table_size>]{};
        for (int count = 1; count < table_size; ++count)
            for (const int width : widths) {
                const double with = width + Rates::winograd_tile_overhead + (count > width ? cost[count - width] : 0);
                if (result.width[count] > 0 && with >= cost[count]) continue;
                cost[count] = with;
                result.width[count] = width;
            }
        return result;
    }();
    static constexpr Rooms rooms = [] {
        Rooms result{};
        for (int count = 1; count <= max_strip; ++count) {
            const int places = padded(count), before = result.places[count - 1];
            result.places[count] = before < places ? places : before;
        }
        return result;
    }();
};

/// The output tiles of F(m x m, 3x3): each has m x m pixels, m = 2 or 4, and reads a window of (m + 2) x (m + 2).
/// Example: F(4x4) on a 14 x 14 map -> 4 x 4 tiles; the last ones reach 2 pixels over the edge.
struct WinogradGrid {
    int m = 0;                 ///< 0: the convolution is computed directly
    int down = 0, across = 0;  ///< tiles of a map; the last ones may reach over its edge
    int strip = 0;             ///< the most tiles that are transformed together, of one image or several
    int room = 0;              ///< places in the register tiles of a strip
    /// Whether filters are stored as they are and transformed when they are multiplied, not when weights are packed.
    bool plain_filters = false;

    constexpr int points() const { return (m + 2) * (m + 2); }
    constexpr int tiles() const { return down * across; }
    /// Rows and columns of the padded source that the tiles read.
    constexpr int source_rows() const { return down * m + 2; }
    constexpr int source_columns() const { return across * m + 2; }

    /// Floats between the points of the transformed input, and of a panel's products: one cache line more than needed,
    /// because points at power-of-two distances would share cache sets.
    constexpr long input_point(int planes) const { return channel_block * (long{room} * planes + 1); }
    constexpr long product_point(int blocks) const { return channel_block * (long{room} * blocks + 1); }
    constexpr long scratch_floats(int planes, int blocks) const {
        return points() * (input_point(planes) + product_point(blocks));
    }
};

/// The places in the register tiles, of at most `MaxTiles` tiles each, that a grid uses for `count` tiles.
template <int MaxTiles>
constexpr int padded_tiles(const WinogradGrid& grid, int count) {
    if (!grid.plain_filters) return WinogradTiles<MaxTiles>::padded(count);
    return (count + filter_tiles - 1) / filter_tiles * filter_tiles;
}

/// The grid of F(m x m) for a map, with register tiles of at most `MaxTiles` tiles, for batches of `images` images.
template <int MaxTiles>
constexpr WinogradGrid winograd_grid(int m, const Shape& output, int planes, int images = 1) {
    WinogradGrid grid{};
    grid.m = m;
    grid.down = (output.height + m - 1) / m;
    grid.across = (output.width + m - 1) / m;
    // Weights that stay in the second-level cache leave part of it to a strip. Other weights are streamed once per
    // strip, which is then as long as that cache allows or, with several images, a share of the next level.
    const long tile_bytes = 64L * planes * grid.points(), weight_bytes = tile_bytes * output.channels;
    const long fit = (weight_bytes <= CacheShare::winograd_weights ? CacheShare::winograd_strip
                      : images > 1                                 ? CacheShare::winograd_batch_strip
                                                                   : CacheShare::winograd_streamed_strip) /
                     tile_bytes;
    constexpr long min_strip = WinogradTiles<MaxTiles>::widths[2], max_strip = WinogradTiles<MaxTiles>::max_strip;
    grid.strip = static_cast<int>(fit < min_strip ? min_strip : fit < max_strip ? fit : max_strip);
    grid.room = WinogradTiles<MaxTiles>::room(grid.strip);
    return grid;
}

/// The grid of F(4x4) on plain filters, with strips that leave part of the second-level cache to a panel's filters.
template <int MaxTiles>
constexpr WinogradGrid plain_filter_grid(const Shape& output, int planes) {
    WinogradGrid grid = winograd_grid<MaxTiles>(4, output, planes);
    const long fit = CacheShare::plain_filter_strip / (64L * planes * grid.points() * filter_tiles);
    grid.strip = grid.room = static_cast<int>(fit < 1 ? 1 : fit) * filter_tiles;
    grid.plain_filters = true;
    return grid;
}

/// Estimated cost of convolutions, in cycles of one core: multiply-adds and transforms, and never less than it takes to
/// stream from memory the weights that don't stay in a cache (machine.hpp).
struct WinogradRates {
    /// A 3x3 convolution as a plain sum.
    static constexpr double direct_cycles(const Shape& output, int inputs, int outputs) {
        const double pairs = static_cast<double>(inputs) * outputs;
        return larger(9 * pairs * static_cast<double>(output.pixels()) / Rates::products_per_cycle,
                      stream_cycles(36 * pairs));
    }

    /// F(m x m) on `tiles` tiles, in `strips` strips that read all weights each.
    static constexpr double cycles(const WinogradGrid& grid, double tiles, double inputs, double outputs, int strips) {
        const double per_input = grid.m == 4 ? Rates::transform_in_4 : Rates::transform_in_2;
        const double per_output = grid.m == 4 ? Rates::transform_out_4 : Rates::transform_out_2;
        const double points = grid.plain_filters ? Rates::plain_filter_products : grid.points();
        const double products = points * inputs * outputs + per_input * inputs + per_output * outputs;
        const double weights = grid.plain_filters ? 9 : grid.points();
        return larger(tiles * products / Rates::products_per_cycle,
                      strips * stream_cycles(4 * weights * inputs * outputs));
    }

    /// Streaming weights that don't stay in a cache.
    static constexpr double stream_cycles(double bytes) {
        return bytes > CacheShare::winograd_weights ? bytes / Rates::streamed_bytes_per_cycle : 0;
    }

private:
    static constexpr double larger(double a, double b) { return a > b ? a : b; }
};

/// Whether Winograd's algorithm can compute a convolution at all.
constexpr bool allows_winograd(const ConvTerm& term, const Shape& input) {
    const Window& w = term.window;
    return w.kernel_height == 3 && w.kernel_width == 3 && w.stride_height == 1 && w.stride_width == 1 &&
           term.groups == 1 && input.channels >= 16;
}

/// The algorithm for a convolution: the one with the lowest estimate for `images` images; direct unless another one is
/// at least a tenth faster. A plain sum takes `share` of the time that it takes in floats.
template <int MaxTiles>
constexpr WinogradGrid choose_winograd(const ConvTerm& term, const Shape& input, const Shape& output, int images = 1,
                                       double share = 1) {
    const WinogradGrid direct{};
    if (!allows_winograd(term, input)) return direct;
    WinogradGrid best = direct;
    double best_cycles =
        share * Rates::winograd_gain * images * WinogradRates::direct_cycles(output, input.channels, output.channels);
    for (const int m : {2, 4}) {
        const WinogradGrid grid = winograd_grid<MaxTiles>(m, output, channel_blocks(input.channels), images);
        const int tiles = images * grid.tiles(), strips = (tiles + grid.strip - 1) / grid.strip;
        // The strips of a single image are not counted: these choices were measured (docs/design/measurements.md).
        const double cycles = WinogradRates::cycles(grid, WinogradTiles<MaxTiles>::padded(tiles), input.channels,
                                                    output.channels, images > 1 ? strips : 1);
        if (cycles < best_cycles) {
            best = grid;
            best_cycles = cycles;
        }
    }
    return best;
}

/// The same for weights that don't change: filters may also be transformed when they are multiplied.
template <int MaxTiles>
constexpr WinogradGrid choose_constant_winograd(const ConvTerm& term, const Shape& input, const Shape& output) {
    const WinogradGrid best = choose_winograd<MaxTiles>(term, input, output);
    if (!allows_plain_filters || !allows_winograd(term, input)) return best;
    const auto cycles = [&](const WinogradGrid& grid) {
        return WinogradRates::cycles(grid, padded_tiles<MaxTiles>(grid, grid.tiles()), input.channels, output.channels,
                                     1);
    };
    const double best_cycles =
        best.m > 0 ? cycles(best)
                   : Rates::winograd_gain * WinogradRates::direct_cycles(output, input.channels, output.channels);
    const WinogradGrid plain = plain_filter_grid<MaxTiles>(output, channel_blocks(input.channels));
    return cycles(plain) < best_cycles ? plain : best;
}

/// The same for the gradient of a convolution's weights, which is summed up in place and streams no weights.
template <int MaxTiles>
constexpr WinogradGrid choose_winograd_gradient(const ConvTerm& term, const Shape& input, const Shape& output,
                                                double share = 1) {
    WinogradGrid best{};
    if (!allows_winograd(term, input)) return best;
    double best_cycles =
        share * Rates::winograd_gain * WinogradRates::direct_cycles(output, input.channels, output.channels);
    for (const int m : {2, 4}) {
        const WinogradGrid grid = winograd_grid<MaxTiles>(m, output, channel_blocks(input.channels));
        const double cycles = WinogradRates::cycles(grid, grid.tiles(), input.channels, output.channels, 0);
        if (cycles < best_cycles) {
            best = grid;
            best_cycles = cycles;
        }
    }
    return best;
}

}  // namespace TENON_ISA_NAMESPACE

}  // namespace tenon::cpu
