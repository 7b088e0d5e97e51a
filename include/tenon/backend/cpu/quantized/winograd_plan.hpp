#pragma once
// IWYU pragma: private, include <tenon/inference.hpp>

// F(4x4, 3x3) on integers: which convolutions are computed by it, and the filters' points.
//
// 36 products do the work of 144, and all of it is exact. With the rows of Lavin and Gray's transform of filters
// multiplied by 24, 6, 6, 24, 24 and 6 all numbers are integers:
//
//     filters   (6, 0, 0)  (-1, -1, -1)  (-1, 1, -1)  (1, 2, 4)  (1, -2, 4)  (0, 0, 6)
//     outputs   24 y0 = m0 + 4 (m1 + m2) + m3 + m4       12 y1 = 2 (m1 - m2) + m3 - m4
//                6 y2 = m1 + m2 + m3 + m4                 6 y3 = m1 - m2 + 2 (m3 - m4) + m5
//
// A code of 8 bits becomes a point of 16: inputs within 255 * 68 = 17340, filters within 127 * 49 = 6223. Sums and
// outputs are computed modulo 2^32, which loses nothing that counts: an output times 576 at most is known modulo 2^32,
// multiplied by the inverse of 9 it is the output times 64, and it is exact where it is below 2^25. That it always is,
// as at most 96 channels are summed up at a time: 96 * 9 * 255 * 127 = 27,981,000 < 2^25 = 33,554,432.

#include <tenon/backend/cpu/machine.hpp>
#include <tenon/backend/cpu/quantized/step.hpp>

namespace tenon::cpu {
inline namespace TENON_ISA_NAMESPACE {

/// Words of two channels whose products are summed up before outputs are computed from the sums.
inline constexpr int winograd_chunk_words = 48;
static_assert(2L * winograd_chunk_words * 9 * 255 * 127 < 1L << 25);

/// The grid for a convolution of bytes, or none: with VNNI, which multiplies twice as many bytes as 16-bit integers,
/// plain sums are faster. The rates are those for floats, as words of two channels are multiplied as fast as floats.
constexpr WinogradGrid choose_integer_winograd(const ConvTerm& term, const Shape& input, const Shape& output) {
    if (has_dot4 || !allows_winograd(term, input)) return {};
    const int words = (input.channels + 1) / 2;
    const WinogradGrid grid = winograd_grid<tile_pixels>(4, output, (words + channel_block - 1) / channel_block);
    const double cycles =
        WinogradRates::cycles(grid, WinogradTiles<tile_pixels>::padded(grid.tiles()), words, output.channels, 1);
    return cycles < Rates::winograd_gain * WinogradRates::direct_cycles(output, words, output.channels)
               ? grid
               : WinogradGrid{};
}

/// Words for a strip of tiles: points of the input and of a panel's products, and sums of the chunks before.
constexpr long integer_winograd_scratch(const QuantizedStep& step) {
    const WinogradGrid& grid = step.winograd;
    return grid.scratch_floats(step.terms[0].planes, panel_blocks) +
           long{grid.room} * panel_blocks * 16 * channel_block;
}

/// The points of a filter's codes, row by row.
/// Example: all taps 1 -> rows and columns of (6, -3, -1, 7, 3, 6): points[0] = 36, points[1] = -18, points[7] = 9.
constexpr void transform_codes_of_filter(const long (&taps)[9], long (&points)[36]) {
    constexpr int filter[6][3] = {{6, 0, 0}, {-1, -1, -1}, {-1, 1, -1}, {1, 2, 4}, {1, -2, 4}, {0, 0, 6}};
    long rows[6][3]{};
    for (int i = 0; i < 6; ++i)
        for (int x = 0; x < 3; ++x)
            rows[i][x] = filter[i][0] * taps[x] + filter[i][1] * taps[3 + x] + filter[i][2] * taps[6 + x];
    for (int i = 0; i < 6; ++i)
        for (int j = 0; j < 6; ++j)
            points[6 * i + j] = rows[i][0] * filter[j][0] + rows[i][1] * filter[j][1] + rows[i][2] * filter[j][2];
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::cpu
