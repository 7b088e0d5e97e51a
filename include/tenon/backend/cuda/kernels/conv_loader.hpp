#pragma once
// IWYU pragma: private, include <tenon/cuda.hpp>

// How tiles of a convolution's operands get into shared memory. The matrix of pixels x (taps, channels) is never stored
// (implicit GEMM): the loader computes where each of its elements is in the map.

#include <cstdint>

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
    // Whether the threads' rows are the tile's, or some threads have rows that the tile lacks.
    static constexpr bool pixels_fit = pixel_rows * rows_at_once == Spec.tile_pixels;
    static constexpr bool outputs_fit = output_rows * rows_at_once == Spec.tile_outputs;
    static_assert(pixel_rows + output_rows <= 32);
    static constexpr int copy_bytes = Spec.vector * number_size;
    static constexpr bool asynchronous = copy_bytes >= 4;
    static_assert(tile_depth % Spec.vector == 0 && threads % vectors == 0 && copy_bytes <= 16);

    /// A tile of the depth in shared memory.
    struct Stage {
        NumberType source[Spec.tile_pixels][row_numbers];
        NumberType weights[Spec.tile_outputs][row_numbers];
    };

    /// The position of a thread in both operands. Addresses are numbers: those of windows that reach over an edge are
    /// outside the map and are not read. They move by the same distance in all rows, so that a step within a tap is one
    /// addition a row.
    struct Place {
        int term, ky, kx, channel;          // of the next vector
        int left;                           // products of the term from the next vector on
        int group_channels;                 // of the term
        unsigned valid;                     // bits: rows whose tap is inside the map, then rows of weights that exist
        int y[pixel_rows], x[pixel_rows];   // of the rows' windows
        std::uintptr_t source[pixel_rows];  // of the next vector of each row
        std::uintptr_t weights;             // of the next vector of the first row
        int row_bytes;                      // between a thread's rows of weights
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
        const int column = thread % vectors * Spec.vector, first_row = thread / vectors;
        TENON_CUDA_UNROLL
        for (int i = 0; i < pixel_rows; ++i) {
            const int row = first_row + i * rows_at_once;
            if (pixels_fit || row < Spec.tile_pixels)
                copy(block, thread, &stage.source[row][column], place.source[i], (place.valid >> i & 1u) != 0);
        }
        TENON_CUDA_UNROLL
        for (int i = 0; i < output_rows; ++i) {
            const int row = first_row + i * rows_at_once;
            if (outputs_fit || row < Spec.tile_outputs)
                copy(block, thread, &stage.weights[row][column],
                     place.weights + static_cast<std::uintptr_t>(long{i} * place.row_bytes),
                     (place.valid >> (pixel_rows + i) & 1u) != 0);
        }
        advance(thread, place);
    }

private:
    TENON_DEVICE void start_term(int thread, Place& place, int depth) const {
        const ConvTermArguments& term = arguments.terms[place.term];
        const int k = depth + thread % vectors * Spec.vector, tap = k / term.group_channels;
        place.channel = k - tap * term.group_channels;
        place.ky = tap / term.kernel_width;
        place.kx = tap - place.ky * term.kernel_width;
        place.left = term.depth - k;
        place.group_channels = term.group_channels;
        const auto source = reinterpret_cast<std::uintptr_t>(term.source);
        const int map = arguments.height * arguments.width;
        TENON_CUDA_UNROLL
        for (int i = 0; i < pixel_rows; ++i) {
            const int row = thread / vectors + i * rows_at_once, pixel = first_pixel + row;
            const int image = pixel / map, inside = pixel - image * map, y = inside / arguments.width;
            const bool exists = pixel < arguments.pixels && row < Spec.tile_pixels;
            place.y[i] = exists ? y * term.stride_height - term.top : -0x10000;
            place.x[i] = (inside - y * arguments.width) * term.stride_width - term.left;
            const long row_of_map = long{image} * term.height + place.y[i] + place.ky;
            const long at = (row_of_map * term.width + place.x[i] + place.kx) * term.channels +
                            group * term.group_channels + place.channel;
            place.source[i] = source + static_cast<std::uintptr_t>(at * number_size);
        }
        place.row_bytes = rows_at_once * term.depth * number_size;
        const long output = long{group} * arguments.group_outputs + first_output + thread / vectors;
        place.weights = reinterpret_cast<std::uintptr_t>(term.weights) +
                        static_cast<std::uintptr_t>((output * term.depth + k) * number_size);
        find_valid(thread, place, term);
    }

    TENON_DEVICE void advance(int thread, Place& place) const {
        const int before = place.left + thread % vectors * Spec.vector;  // the same for all threads
        if (before <= tile_depth && place.term + 1 < arguments.terms_used) {
            ++place.term;
            return start_term(thread, place, 0);
        }
        place.left -= tile_depth;
        place.channel += tile_depth;
        place.weights += Spec.depth_bytes;
        TENON_CUDA_UNROLL
        for (int i = 0; i < pixel_rows; ++i) place.source[i] += Spec.depth_bytes;
        if (place.channel >= place.group_channels) next_tap(thread, place, arguments.terms[place.term]);
    }

    /// Moves on to the tap that the channel is in, counted from the last one.
    TENON_DEVICE void next_tap(int thread, Place& place, const ConvTermArguments& term) const {
        long distance = 0;
        while (place.channel >= place.group_channels) {
            place.channel -= place.group_channels;
            distance += term.channels - place.group_channels;
            if (++place.kx == term.kernel_width) {
                place.kx = 0;
                ++place.ky;
                distance += long{term.width - term.kernel_width} * term.channels;
            }
        }
        TENON_CUDA_UNROLL
        for (int i = 0; i < pixel_rows; ++i) place.source[i] += static_cast<std::uintptr_t>(distance * number_size);
        find_valid(thread, place, term);
    }

    /// Nothing is valid after the last product.
    TENON_DEVICE void find_valid(int thread, Place& place, const ConvTermArguments& term) const {
        place.valid = 0;
        TENON_CUDA_UNROLL
        for (int i = 0; i < pixel_rows; ++i) {
            const int y = place.y[i] + place.ky, x = place.x[i] + place.kx;
            // A negative number is a large one without a sign.
            const bool valid = static_cast<unsigned>(y) < static_cast<unsigned>(term.height) &&
                               static_cast<unsigned>(x) < static_cast<unsigned>(term.width);
            place.valid |= (valid ? 1u : 0u) << i;
        }
        TENON_CUDA_UNROLL
        for (int i = 0; i < output_rows; ++i)
            if (first_output + thread / vectors + i * rows_at_once < arguments.group_outputs)
                place.valid |= 1u << (pixel_rows + i);
        if (place.left <= 0) place.valid = 0;
    }

    template <class Block>
    TENON_DEVICE static void copy(Block& block, int thread, NumberType* to, std::uintptr_t address, bool valid) {
        const auto* const from = reinterpret_cast<const NumberType*>(address);  // NOLINT(performance-no-int-to-ptr)
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
