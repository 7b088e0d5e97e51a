// Which tile a convolution is cut into, and how often its depth is split: an estimate from the sizes alone.
#pragma once

#include <algorithm>

#include <tenon/backend/cuda/conv_spec.hpp>

namespace tenon::cuda {

/// A tile that a convolution may be cut into, and how well one multiprocessor uses its arithmetic with it (estimated,
/// not measured: docs/cuda.md).
struct ConvTile {
    int pixels, outputs, warp_pixels, warp_outputs, stages;
    double efficiency;
};

/// The tiles there are kernels for: large ones for large batches, small ones so that a single image has enough of them.
inline constexpr int conv_tiles = 3;
constexpr ConvTile conv_tile(Precision precision, int index) {
    constexpr ConvTile plain[conv_tiles] = {{128, 64, 0, 0, 3, 1.0}, {64, 64, 0, 0, 3, 0.8}, {32, 32, 0, 0, 3, 0.4}};
    constexpr ConvTile tensor[conv_tiles] = {
        {128, 128, 64, 32, 4, 1.0}, {64, 64, 32, 32, 4, 0.6}, {32, 32, 16, 16, 4, 0.25}};
    return precision == Precision::float32 ? plain[index] : tensor[index];
}

/// The specification of a convolution's kernel.
constexpr ConvSpec conv_spec(Precision precision, int tile, int vector, int output_vector, bool prologue) {
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
    spec.prologue = prologue;
    return spec;
}

/// A convolution's tile and splits.
struct ConvChoice {
    int tile = 0, splits = 1;
    friend constexpr bool operator==(const ConvChoice&, const ConvChoice&) = default;
};

/// Blocks that a multiprocessor is expected to run side by side.
inline constexpr int blocks_at_once = 2;

/// Chooses for a result of `pixels` x `outputs` in each of `groups` and sums of `depth` products, on `multiprocessors`.
/// The time of a choice is estimated as the rounds that its blocks take times the products of a block; a split costs a
/// pass over the sums. Splits leave no multiprocessor without a block, never make more than one round, and keep at
/// least four tiles of the depth each.
constexpr ConvChoice choose_conv(Precision precision, long pixels, int outputs, int groups, int depth,
                                 int multiprocessors) {
    constexpr int least_tiles = 4, most_splits = 32;
    const int tile_depth = 64 / number_bytes(precision);
    const long slots = static_cast<long>(multiprocessors) * blocks_at_once;
    ConvChoice best{};
    double best_time = -1;
    for (int tile = 0; tile < conv_tiles; ++tile) {
        const ConvTile shape = conv_tile(precision, tile);
        const long blocks = blocks_of(pixels, shape.pixels) * blocks_of(outputs, shape.outputs) * groups;
        for (int splits = 1; splits <= most_splits; splits *= 2) {
            if (splits > 1 && (blocks * splits > slots || blocks_of(depth, tile_depth) < least_tiles * splits)) break;
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

/// Floats that the splits of any convolution take.
constexpr long partial_floats(Precision precision, int multiprocessors) {
    long most = 0;
    for (int tile = 0; tile < conv_tiles; ++tile) {
        const ConvTile shape = conv_tile(precision, tile);
        most = std::max(most, static_cast<long>(shape.pixels) * shape.outputs);
    }
    return most * multiprocessors * blocks_at_once;
}

}  // namespace tenon::cuda
