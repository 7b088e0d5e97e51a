#pragma once
// IWYU pragma: private, include <tenon/inference.hpp>

// Winograd's F(4x4, 3x3) on integers and F(2x2, 3x3) in bfloat16: which convolutions are computed by them, and the
// filters' points.
//
// On integers 36 products do the work of 144, and all of it is exact. With the rows of Lavin and Gray's transform of
// filters multiplied by 24, 6, 6, 24, 24 and 6 all numbers are integers:
//
//     filters   (6, 0, 0)  (-1, -1, -1)  (-1, 1, -1)  (1, 2, 4)  (1, -2, 4)  (0, 0, 6)
//     outputs   24 y0 = m0 + 4 (m1 + m2) + m3 + m4       12 y1 = 2 (m1 - m2) + m3 - m4
//                6 y2 = m1 + m2 + m3 + m4                 6 y3 = m1 - m2 + 2 (m3 - m4) + m5
//
// A code of 8 bits becomes a point of 16: inputs within 255 * 68 = 17340, filters within 127 * 49 = 6223. Sums and
// outputs are computed modulo 2^32, which loses nothing that counts: an output times 576 at most is known modulo 2^32,
// multiplied by the inverse of 9 it is the output times 64, and it is exact where it is below 2^25. That it always is,
// as at most 96 channels are summed up at a time: 96 * 9 * 255 * 127 = 27,981,000 < 2^25 = 33,554,432.
//
// In bfloat16 16 products do the work of 36. The points of filters and windows are computed with more bits and rounded
// once, in the same order everywhere, so this is a definition of its own that all instruction sets share. F(4x4) would
// multiply these errors by ten.

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

/// The grid for a convolution in bfloat16, or none. Which one is decided by shapes alone, as the bits depend on it:
/// from 64 channels on transforms take a sixth of the time that the products would.
constexpr WinogradGrid choose_bfloat16_winograd(const ConvTerm& term, const Shape& input, const Shape& output) {
    if (!allows_winograd(term, input) || input.channels < 64 || output.channels < 64) return {};
    const int channels_of_plane = 16 * pack_of(Storage::bf16);
    return winograd_grid<tile_pixels>(2, output, (input.channels + channels_of_plane - 1) / channels_of_plane);
}

/// Words for a strip of tiles: points of the input and of a panel's products, and of integers the sums of the chunks
/// before.
constexpr long quantized_winograd_scratch(const QuantizedStep& step) {
    const WinogradGrid& grid = step.winograd;
    const long sums = step.source_codes.storage == Storage::bf16 ? 0 : long{grid.room} * panel_blocks * 16;
    return grid.scratch_floats(step.terms[0].planes, panel_blocks) + sums * channel_block;
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

/// The points of a filter by F(2x2, 3x3), row by row.
/// Example: all taps 1 -> rows and columns of (1, 1.5, 0.5, 1): points[0] = 1, points[1] = 1.5, points[5] = 2.25.
constexpr void transform_filter(const double (&taps)[9], double (&points)[16]) {
    double rows[4][3]{};
    const auto transform = [](double a, double b, double c, auto&& store) {
        store(0, a);
        store(1, (a + c + b) / 2);
        store(2, (a + c - b) / 2);
        store(3, c);
    };
    for (int x = 0; x < 3; ++x)
        transform(taps[x], taps[3 + x], taps[6 + x], [&](int i, double value) { rows[i][x] = value; });
    for (int i = 0; i < 4; ++i)
        transform(rows[i][0], rows[i][1], rows[i][2], [&](int j, double value) { points[4 * i + j] = value; });
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::cpu
