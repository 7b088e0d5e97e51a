#pragma once
// IWYU pragma: private, include <tenon/cuda.hpp>

// The parameters of the kernel of weight gradients: its spec at compile time, its arguments at each call, and the
// choice of tile and splits by the sizes.

#include <algorithm>

#include <tenon/backend/cuda/kernels/conv_choice.hpp>

namespace tenon::cuda {

/// What changes a weight gradient kernel's code.
struct WeightGradientSpec {
    Precision precision = Precision::float32;
    int tile_outputs = 64, tile_columns = 64;  ///< of a block; a column is a channel under a tap
    int warp_outputs = 32, warp_columns = 32;  ///< of a warp, with tensor cores
    int stages = 3;                            ///< tiles of the depth in shared memory
    int depth_bytes = 64;                      ///< of a tile of the depth: this many bytes of one channel
    int vector = 4;                            ///< channels of the source that are loaded at once
    int output_vector = 4;                     ///< channels of the gradient that are loaded at once
    friend constexpr bool operator==(const WeightGradientSpec&, const WeightGradientSpec&) = default;

    constexpr bool tensor_cores() const { return precision != Precision::float32; }
    constexpr int warps() const {
        return tensor_cores() ? tile_outputs / warp_outputs * (tile_columns / warp_columns) : 8;
    }
};

/// The number of tiles that there are kernels for.
inline constexpr int weight_gradient_tiles = 2;
constexpr WeightGradientSpec weight_gradient_spec(Precision precision, int tile, int vector, int output_vector) {
    WeightGradientSpec spec{};
    spec.precision = precision;
    spec.vector = vector;
    spec.output_vector = output_vector;
    if (tile == 0) {
        spec.tile_outputs = 128;
        spec.tile_columns = spec.tensor_cores() ? 128 : 64;
        spec.warp_outputs = 64;
    }
    return spec;
}

/// Blocks of its kernel that a multiprocessor runs at once (WeightGradientKernel::min_blocks).
inline constexpr int weight_gradient_blocks = 2;

/// A weight gradient's tile and splits.
struct WeightGradientChoice {
    int tile = 0, splits = 1;
};

/// Large tiles where they are filled; as many splits as give every multiprocessor work, each of at least four tiles of
/// the depth.
constexpr WeightGradientChoice choose_weight_gradient(Precision precision, long pixels, int outputs, int columns,
                                                      int groups, int multiprocessors) {
    constexpr long min_tiles = 4;
    const bool large = outputs > 64 && columns > 64;
    const WeightGradientSpec spec = weight_gradient_spec(precision, large ? 0 : 1, 1, 1);
    const long blocks = blocks_of(outputs, spec.tile_outputs) * blocks_of(columns, spec.tile_columns) * groups;
    const long slots = long{multiprocessors} * weight_gradient_blocks;
    const long tiles = blocks_of(pixels, spec.depth_bytes / number_bytes(precision));
    const long splits = std::max(1L, std::min(slots / blocks, tiles / min_tiles));
    return {large ? 0 : 1, static_cast<int>(splits)};
}

/// Whether the block of a tile that comes last adds the splits, as in a convolution.
constexpr bool adds_gradient_splits(Precision precision, WeightGradientChoice choice) {
    const WeightGradientSpec spec = weight_gradient_spec(precision, choice.tile, 1, 1);
    return choice.splits > 1 &&
           long{spec.tile_outputs} * spec.tile_columns * choice.splits * long{sizeof(float)} <= max_split_bytes;
}

/// Floats of scratch memory for the splits of any weight gradient, if the largest has `largest` floats (taps and padded
/// channels times outputs). With several splits there are no more blocks than can run at once.
constexpr long weight_gradient_floats(Precision precision, long largest, int multiprocessors) {
    const WeightGradientSpec spec = weight_gradient_spec(precision, 0, 1, 1);
    return std::max(largest, long{spec.tile_outputs} * spec.tile_columns * multiprocessors * weight_gradient_blocks);
}

/// Where the gradient of an output's weights is: channel by channel, tap by tap. The columns of the product are row by
/// row what a window reads of its source: the channels under a tap or, of an image with a border, under a row of taps.
///
///     7 x 7 taps of 3 channels: rows of 32 columns, which are 7 taps of 4 channels and 4 columns of padding
struct WeightLayout {
    int row = 1;                     ///< columns
    int row_taps = 1, channels = 1;  ///< of a row; of a tap, padding included
    int inputs = 1, taps = 1;        ///< of the weights

    /// The place of a column; -1 for padding, which has no weights.
    TENON_HOST_DEVICE constexpr int place(int column) const {
        const int y = column / row, inside = column - y * row, x = inside / channels, input = inside - x * channels;
        return x < row_taps && input < inputs ? input * taps + y * row_taps + x : -1;
    }
};

/// The scalars of a weight gradient's call.
struct WeightGradientArguments {
    const void* source = nullptr;
    const void* gradient = nullptr;        ///< with respect to the convolution's result
    float* partials = nullptr;             ///< [split][output][column]
    int channels = 0, group_channels = 0;  ///< of a pixel of the source; of a group
    int height = 1, width = 1;             ///< of the source
    int kernel_width = 1, stride_height = 1, stride_width = 1, top = 0, left = 0;
    int columns = 0;                          ///< taps * group_channels
    int result_height = 1, result_width = 1;  ///< of the gradient
    int pixels = 0;                           ///< of the gradient, over all images
    int group_outputs = 0, groups = 1, splits = 1;
    float* weights = nullptr;     ///< where the gradient of the weights is stored; null: others add the splits
    WeightLayout layout{};        ///< of an output's weights
    unsigned* tickets = nullptr;  ///< one per tile of the result, 0 before and after, if there are several splits
};

}  // namespace tenon::cuda
