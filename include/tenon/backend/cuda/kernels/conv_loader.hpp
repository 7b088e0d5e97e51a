#pragma once
// IWYU pragma: private, include <tenon/cuda.hpp>

// How tiles of a convolution's operands get into shared memory. The matrix of pixels x (taps, channels) is never stored
// (implicit GEMM): the loader computes where each of its elements is in the map.

#include <tenon/backend/cuda/kernels/conv_spec.hpp>

namespace tenon::cuda {
inline namespace TENON_ISA_NAMESPACE {

/// Loads what a block needs, one tile of the depth after another; each thread loads a vector of several rows.
template <ConvSpec Spec>
struct ConvLoader {
    using NumberType = Number<Spec.precision>;

    static constexpr int threads = Spec.warps() * 32;
    static constexpr int number_size = static_cast<int>(sizeof(NumberType));
    static constexpr int tile_depth = Spec.depth_bytes / number_size;
    // 16 bytes of padding per row: the rows that a warp reads at the same time are then in different banks.
    static constexpr int row_numbers = tile_depth + 16 / number_size;
    static constexpr int vectors = tile_depth / Spec.vector;  // of a row
    static constexpr int rows_at_once = threads / vectors;
    static constexpr int pixel_rows = (Spec.tile_pixels + rows_at_once - 1) / rows_at_once;
    static constexpr int output_rows = (Spec.tile_outputs + rows_at_once - 1) / rows_at_once;
    static constexpr int copy_bytes = Spec.vector * number_size;
    static constexpr bool asynchronous = copy_bytes >= 4;
    static_assert(tile_depth % Spec.vector == 0 && threads % vectors == 0 && copy_bytes <= 16);

    /// A tile of the depth in shared memory.
    struct Stage {
        NumberType source[Spec.tile_pixels][row_numbers];
        NumberType weights[Spec.tile_outputs][row_numbers];
    };

    /// The position of a thread in both operands.
    struct Place {
        int term, ky, kx, channel;         // of the next vector
        int left;                          // products of the term from the next vector on
        int y[pixel_rows], x[pixel_rows];  // of the rows' windows
        long base[pixel_rows];             // of the rows' images
    };

    const ConvArguments& arguments;
    int group, first_pixel, first_output;  ///< of the block's part of the result

    /// The tiles of the depth of a term.
    TENON_HOST_DEVICE static int tiles_of(const ConvTermArguments& term) {
        return (term.depth + tile_depth - 1) / tile_depth;
    }

    /// Places a thread at a tile of the depth.
    TENON_DEVICE void start(int thread, Place& place, int tile, int first_term_tiles) const {
        place.term = tile < first_term_tiles ? 0 : 1;
        if (place.term >= arguments.terms_used) place.term = arguments.terms_used - 1;
        start_term(thread, place, (tile - place.term * first_term_tiles) * tile_depth);
    }

    /// Starts loading the next tile of the depth and moves on by one.
    template <class Block>
    TENON_DEVICE void load(Block& block, int thread, Place& place, Stage& stage) const {
        const ConvTermArguments& term = arguments.terms[place.term];
        const int column = thread % vectors * Spec.vector, first_row = thread / vectors;
        const auto* source = static_cast<const NumberType*>(term.source);
        const auto* weights = static_cast<const NumberType*>(term.weights);
        const bool inside = place.left > 0;
        TENON_CUDA_UNROLL
        for (int i = 0; i < pixel_rows; ++i) {
            const int row = first_row + i * rows_at_once;
            const int y = place.y[i] + place.ky, x = place.x[i] + place.kx;
            const bool valid = inside && y >= 0 && y < term.height && x >= 0 && x < term.width;
            const long at = place.base[i] + static_cast<long>(y * term.width + x) * term.channels + place.channel;
            if (row < Spec.tile_pixels)
                copy(block, thread, &stage.source[row][column], valid ? source + at : source, valid);
        }
        TENON_CUDA_UNROLL
        for (int i = 0; i < output_rows; ++i) {
            const int row = first_row + i * rows_at_once, output = first_output + row;
            const bool valid = inside && output < arguments.group_outputs;
            const long at = static_cast<long>(group * arguments.group_outputs + output + 1) * term.depth - place.left;
            if (row < Spec.tile_outputs)
                copy(block, thread, &stage.weights[row][column], valid ? weights + at : weights, valid);
        }
        advance(thread, place, term);
    }

private:
    TENON_DEVICE void start_term(int thread, Place& place, int depth) const {
        const ConvTermArguments& term = arguments.terms[place.term];
        const int k = depth + thread % vectors * Spec.vector, tap = k / term.group_channels;
        place.channel = k - tap * term.group_channels;
        place.ky = tap / term.kernel_width;
        place.kx = tap - place.ky * term.kernel_width;
        place.left = term.depth - k;
        const int map = arguments.height * arguments.width;
        TENON_CUDA_UNROLL
        for (int i = 0; i < pixel_rows; ++i) {
            const int row = thread / vectors + i * rows_at_once, pixel = first_pixel + row;
            const int image = pixel / map, inside = pixel - image * map, y = inside / arguments.width;
            const bool exists = pixel < arguments.pixels && row < Spec.tile_pixels;
            place.y[i] = exists ? y * term.stride_height - term.top : -0x10000;
            place.x[i] = (inside - y * arguments.width) * term.stride_width - term.left;
            place.base[i] =
                static_cast<long>(image) * term.height * term.width * term.channels + group * term.group_channels;
        }
    }

    TENON_DEVICE void advance(int thread, Place& place, const ConvTermArguments& term) const {
        const int before = place.left + thread % vectors * Spec.vector;  // the same for all threads
        if (before <= tile_depth && place.term + 1 < arguments.terms_used) {
            ++place.term;
            return start_term(thread, place, 0);
        }
        place.left -= tile_depth;
        place.channel += tile_depth;
        while (place.channel >= term.group_channels) {
            place.channel -= term.group_channels;
            if (++place.kx == term.kernel_width) {
                place.kx = 0;
                ++place.ky;
            }
        }
    }

    template <class Block>
    TENON_DEVICE static void copy(Block& block, int thread, NumberType* to, const NumberType* from, bool valid) {
        if constexpr (asynchronous) {
            block.template copy_async<copy_bytes>(thread, to, from, valid);
        } else {
            float values[Spec.vector]{};
            if (valid) load_floats(from, values);
            store_floats(values, to);
        }
    }
};

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::cuda
