#pragma once
// IWYU pragma: private, include <tenon/cuda.hpp>

// Which tile a convolution is cut into, and how often its depth is split: an estimate from the sizes alone.

#include <algorithm>

#include <tenon/backend/cuda/kernels/conv_spec.hpp>

namespace tenon::cuda {

/// A tile that a convolution may be cut into, and how well a multiprocessor can use its arithmetic with it (estimated,
/// not measured: docs/how_to/cuda.md).
struct ConvTile {
    int pixels, outputs, warp_pixels, warp_outputs, stages;
    double efficiency;
};

/// The tiles that there are kernels for: large ones for large batches, small ones so that a single image has enough.
inline constexpr int conv_tiles = 3;
constexpr ConvTile conv_tile(Precision precision, int index) {
    constexpr ConvTile plain[conv_tiles] = {{128, 64, 0, 0, 3, 1.0}, {64, 64, 0, 0, 3, 0.8}, {32, 32, 0, 0, 3, 0.4}};
    constexpr ConvTile tensor[conv_tiles] = {
        {128, 128, 64, 32, 4, 1.0}, {64, 64, 32, 32, 4, 0.6}, {32, 32, 16, 16, 4, 0.25}};
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

/// Blocks that a multiprocessor is expected to run concurrently.
inline constexpr int blocks_at_once = 2;

/// Chooses tile and splits for a result of `pixels` x `outputs` in each of `groups`, sums of `depth` products, on
/// `multiprocessors`. The estimated time is the number of rounds that the blocks take times the products of a block; a
/// split also costs a pass over the sums. Splits are used to give every multiprocessor a block; they never make more
/// than one round, and keep at least four tiles of the depth each.
constexpr ConvChoice choose_conv(Precision precision, long pixels, int outputs, int groups, int depth,
                                 int multiprocessors) {
    constexpr int min_tiles = 4, max_splits = 32;
    const int tile_depth = 64 / number_bytes(precision);
    const long slots = static_cast<long>(multiprocessors) * blocks_at_once;
    ConvChoice best{};
    double best_time = -1;
    for (int tile = 0; tile < conv_tiles; ++tile) {
        const ConvTile shape = conv_tile(precision, tile);
        const long blocks = blocks_of(pixels, shape.pixels) * blocks_of(outputs, shape.outputs) * groups;
        for (int splits = 1; splits <= max_splits; splits *= 2) {
            if (splits > 1 && (blocks * splits > slots || blocks_of(depth, tile_depth) < min_tiles * splits)) break;
            const double products = static_cast<double>(shape.pixels) * shape.outputs * depth / splits;
            double time = static_cast<double>(blocks_of(blocks * splits, slots)) * products / shape.efficiency;
            // Sums are written and read once more; a multiprocessor multiplies some hundred times faster than it
            // copies.
            if (splits > 1)
                time += 200.0 * static_cast<double>(splits + 1) * static_cast<double>(pixels) * outputs * groups /
                        static_cast<double>(slots);
            if (best_time < 0 || time < best_time) {
                best_time = time;
                best = {tile, splits};
            }
        }
    }
    return best;
}

/// Floats of scratch memory for the split sums of any convolution.
constexpr long partial_floats(Precision precision, int multiprocessors) {
    long max_sums = 0;
    for (int tile = 0; tile < conv_tiles; ++tile) {
        const ConvTile shape = conv_tile(precision, tile);
        max_sums = std::max(max_sums, static_cast<long>(shape.pixels) * shape.outputs);
    }
    return max_sums * multiprocessors * blocks_at_once;
}

}  // namespace tenon::cuda
