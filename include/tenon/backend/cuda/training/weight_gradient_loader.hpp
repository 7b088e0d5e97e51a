#pragma once
// IWYU pragma: private, include <tenon/cuda.hpp>

// How tiles of a weight gradient's operands get into shared memory: the gradient, and a convolution's source under its
// taps, a matrix that is never stored.

#include <tenon/backend/cuda/training/weight_gradient_spec.hpp>

namespace tenon::cuda {
inline namespace TENON_ISA_NAMESPACE {

/// Loads what a block needs, one tile of pixels after another; each thread loads the same channels of some pixels.
template <WeightGradientSpec Spec>
struct WeightGradientLoader {
    using NumberType = Number<Spec.precision>;

    static constexpr int threads = Spec.warps() * 32;
    static constexpr int number_size = static_cast<int>(sizeof(NumberType));
    static constexpr int depth = Spec.depth_bytes / number_size;  // pixels of a tile
    // 8 numbers of padding per row: what a warp reads at the same time is then in different banks.
    static constexpr int padding = 8;
    static constexpr int source_vectors = Spec.tile_columns / Spec.vector;
    static constexpr int source_rows = threads / source_vectors;  // loaded at once
    static constexpr int gradient_vectors = Spec.tile_outputs / Spec.output_vector;
    static constexpr int gradient_rows = threads / gradient_vectors;
    static_assert(depth % source_rows == 0 && depth % gradient_rows == 0);

    /// A tile of the depth in shared memory.
    struct Stage {
        NumberType gradient[depth][Spec.tile_outputs + padding];
        NumberType source[depth][Spec.tile_columns + padding];
    };

    /// The position of a thread in both operands.
    struct Place {
        int source_pixel, y, x;  // the next pixel whose window is loaded
        long image;              // where its image begins
        int gradient_pixel;      // the next one whose gradient is loaded
        int row, column;         // of the window: offsets of the thread's tap; a row of -0x10000: there is none
        int channel;
    };

    const WeightGradientArguments& arguments;
    int group, first_output, first_column;  ///< of the block's part of the result

    /// Places a thread at a pixel, the first one of a tile.
    TENON_DEVICE void start(int thread, Place& place, int first_pixel) const {
        const int column = first_column + thread % source_vectors * Spec.vector;
        const int tap = column / arguments.group_channels, ky = tap / arguments.kernel_width;
        place.channel = group * arguments.group_channels + column - tap * arguments.group_channels;
        place.row = column < arguments.columns ? ky - arguments.top : -0x10000;
        place.column = tap - ky * arguments.kernel_width - arguments.left;
        const int map = arguments.result_height * arguments.result_width;
        place.source_pixel = first_pixel + thread / source_vectors;
        const int image = place.source_pixel / map, inside = place.source_pixel - image * map;
        place.image = long{image} * arguments.height * arguments.width * arguments.channels;
        place.y = inside / arguments.result_width;
        place.x = inside - place.y * arguments.result_width;
        place.gradient_pixel = first_pixel + thread / gradient_vectors;
    }

    /// Starts loading the next tile of the depth and moves on by one. Pixels after the last are zeros.
    template <class Block>
    TENON_DEVICE void load(Block& block, int thread, Place& place, Stage& stage) const {
        const auto* source = static_cast<const NumberType*>(arguments.source);
        const auto* gradient = static_cast<const NumberType*>(arguments.gradient);
        const int outputs = arguments.groups * arguments.group_outputs;
        TENON_CUDA_UNROLL
        for (int i = 0; i < depth / source_rows; ++i) {
            const int y = place.y * arguments.stride_height + place.row;
            const int x = place.x * arguments.stride_width + place.column;
            const bool valid = place.source_pixel < arguments.pixels && y >= 0 && y < arguments.height && x >= 0 &&
                               x < arguments.width;
            const long at = place.image + long{y * arguments.width + x} * arguments.channels + place.channel;
            copy<Spec.vector>(
                block, thread,
                &stage.source[thread / source_vectors + i * source_rows][thread % source_vectors * Spec.vector],
                valid ? source + at : source, valid);
            advance(place);
        }
        const int output = first_output + thread % gradient_vectors * Spec.output_vector;
        TENON_CUDA_UNROLL
        for (int i = 0; i < depth / gradient_rows; ++i) {
            const bool valid = place.gradient_pixel < arguments.pixels && output < arguments.group_outputs;
            const long at =
                static_cast<long>(place.gradient_pixel) * outputs + long{group} * arguments.group_outputs + output;
            copy<Spec.output_vector>(block, thread,
                                     &stage.gradient[thread / gradient_vectors + i * gradient_rows]
                                                    [thread % gradient_vectors * Spec.output_vector],
                                     valid ? gradient + at : gradient, valid);
            place.gradient_pixel += gradient_rows;
        }
    }

private:
    TENON_DEVICE void advance(Place& place) const {
        place.source_pixel += source_rows;
        place.x += source_rows;
        while (place.x >= arguments.result_width) {
            place.x -= arguments.result_width;
            if (++place.y == arguments.result_height) {
                place.y = 0;
                place.image += long{arguments.height} * arguments.width * arguments.channels;
            }
        }
    }

    template <int Count, class Block>
    TENON_DEVICE static void copy(Block& block, int thread, NumberType* to, const NumberType* from, bool valid) {
        if constexpr (Count * number_size >= 4) {
            block.template copy_async<Count * number_size>(thread, to, from, valid);
        } else {
            *to = valid ? *from : from_float<NumberType>(0.0f);
        }
    }
};

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::cuda
