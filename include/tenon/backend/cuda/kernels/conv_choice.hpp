#pragma once
// IWYU pragma: private, include <tenon/cuda.hpp>

// Which tile a convolution is cut into, and how often its depth is split: an estimate from the sizes alone.

#include <algorithm>

#include <tenon/backend/cuda/kernels/conv_spec.hpp>

namespace tenon::cuda {

/// A tile that a convolution may be cut into, the blocks of it that a multiprocessor runs at once, and how well it can
/// use its arithmetic with two or more of them (estimated, not measured: docs/how_to/cuda.md).
struct ConvTile {
    int pixels, outputs, warp_pixels, warp_outputs, stages, blocks;
    double efficiency;
};

/// The tiles that there are kernels for: large ones for large batches, small ones so that a single image has enough.
inline constexpr int conv_tiles = 3;
constexpr ConvTile conv_tile(Precision precision, int index) {
    constexpr ConvTile plain[conv_tiles] = {
        {128, 64, 0, 0, 3, 2, 1.0}, {64, 64, 0, 0, 3, 2, 0.8}, {32, 32, 0, 0, 3, 2, 0.4}};
    constexpr ConvTile tensor[conv_tiles] = {
        {128, 128, 64, 32, 4, 2, 1.0}, {64, 64, 32, 32, 4, 4, 0.6}, {32, 32, 16, 16, 4, 6, 0.25}};
    return precision == Precision::float32 ? plain[index] : tensor[index];
}

/// The specification of a convolution's kernel.
constexpr ConvSpec conv_spec(Precision precision, int tile, int vector, int output_vector) {
    const ConvTile chosen = conv_tile(precision, tile);
    ConvSpec spec{};
    spec.precision = precision;
    spec.tile_pixels = chosen.pixels;
    spec.tile_outputs = chosen.outputs;
    spec.warp_pixels = chosen.warp_pixels;
    spec.warp_outputs = chosen.warp_outputs;
    spec.stages = chosen.stages;
    spec.vector = vector;
    spec.output_vector = output_vector;
    return spec;
}

/// A convolution's tile and splits.
struct ConvChoice {
    int tile = 0, splits = 1;
    friend constexpr bool operator==(const ConvChoice&, const ConvChoice&) = default;
};

/// Blocks of a tile that a multiprocessor runs at once, where threads copy `copy_bytes` at once: what its 65,536
/// registers and, from compute capability 8.0 on, its 164 KB of shared memory have room for (test:
/// tests/backend/cuda/compile_kernels.py). Copies of fewer than 16 bytes are more copies, and need registers of up to
/// twice the blocks.
constexpr int blocks_at_once(Precision precision, int tile, int copy_bytes) {
    const int blocks = conv_tile(precision, tile).blocks;
    return copy_bytes < 16 ? blocks / 2 : blocks;
}

/// How long a multiprocessor takes for `blocks` of which it runs `at_once`, in the time of two at once. One alone takes
/// as long: nothing hides its waiting.
///     3 blocks, 2 at once -> 2;    3 blocks, 4 at once -> 1.5;    3 blocks, 1 at once -> 3
constexpr double rounds_of(long blocks, int at_once) {
    const auto round = [](long count) { return count == 0 ? 0.0 : std::max(1.0, static_cast<double>(count) / 2); };
    return static_cast<double>(blocks / at_once) * round(at_once) + round(blocks % at_once);
}

/// Chooses tile and splits for a result of `pixels` x `outputs` in each of `groups`, sums of `depth` products, on
/// `multiprocessors`, where a thread copies `copy_bytes` at once. The estimated time is that of the blocks of a
/// multiprocessor times the products of a block; a split also costs a pass over the sums. Splits are used to give every
/// multiprocessor blocks; they never make more than run at once, and keep at least four tiles of the depth each.
constexpr ConvChoice choose_conv(Precision precision, long pixels, int outputs, int groups, int depth, int copy_bytes,
                                 int multiprocessors) {
    constexpr int min_tiles = 4, max_splits = 32;
    const int tile_depth = 64 / number_bytes(precision);
    ConvChoice best{};
    double best_time = -1;
    for (int tile = 0; tile < conv_tiles; ++tile) {
        const ConvTile shape = conv_tile(precision, tile);
        const int at_once = blocks_at_once(precision, tile, copy_bytes);
        const long slots = long{multiprocessors} * at_once;
        const long blocks = blocks_of(pixels, shape.pixels) * blocks_of(outputs, shape.outputs) * groups;
        for (int splits = 1; splits <= max_splits; splits *= 2) {
            if (splits > 1 && (blocks * splits > slots || blocks_of(depth, tile_depth) < min_tiles * splits)) break;
            const double products = static_cast<double>(shape.pixels) * shape.outputs * depth / splits;
            double time = rounds_of(blocks_of(blocks * splits, multiprocessors), at_once) * products / shape.efficiency;
            // Sums are written and read once more; a multiprocessor multiplies some hundred times faster than it
            // copies.
            if (splits > 1)
                time += 200.0 * static_cast<double>(splits + 1) * static_cast<double>(pixels) * outputs * groups /
                        (2.0 * multiprocessors);
            if (best_time < 0 || time < best_time) {
                best_time = time;
                best = {tile, splits};
            }
        }
    }
    return best;
}

/// The most bytes of splits that the block of a tile that comes last adds. That takes one multiprocessor some two
/// microseconds for 128 KB (eight times the latency of the L2 cache; estimated), less than another launch; more is read
/// by all multiprocessors in a launch of its own.
inline constexpr long max_split_bytes = 128 << 10;

/// Whether the block of a tile that comes last adds the splits.
constexpr bool adds_splits(Precision precision, ConvChoice choice) {
    const ConvTile tile = conv_tile(precision, choice.tile);
    return choice.splits > 1 &&
           long{tile.pixels} * tile.outputs * choice.splits * long{sizeof(float)} <= max_split_bytes;
}

/// Counters of tiles that any convolution needs: with splits there are no more blocks than run at once.
constexpr long conv_tickets(Precision precision, int multiprocessors) {
    int max_blocks = 0;
    for (int tile = 0; tile < conv_tiles; ++tile) max_blocks = std::max(max_blocks, conv_tile(precision, tile).blocks);
    return long{max_blocks} * multiprocessors;
}

/// Floats of scratch memory for the split sums of any convolution.
constexpr long partial_floats(Precision precision, int multiprocessors) {
    long max_sums = 0;
    for (int tile = 0; tile < conv_tiles; ++tile) {
        const ConvTile shape = conv_tile(precision, tile);
        max_sums = std::max(max_sums, long{shape.pixels} * shape.outputs * shape.blocks);
    }
    return max_sums * multiprocessors;
}

}  // namespace tenon::cuda
