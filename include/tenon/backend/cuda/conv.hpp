// Convolutions and linear layers as one product of matrices: pixels x (taps, channels) times (taps, channels) x
// outputs.
//
// The first matrix is never stored (implicit GEMM): the loader computes where each of its elements lies in the map.
// Weights lie output by output, tap by tap, channel by channel. A sum of two convolutions is one product over both
// depths.
#pragma once

#include <tenon/backend/cuda/block.hpp>
#include <tenon/backend/cuda/conv_spec.hpp>

namespace tenon::cuda {

inline namespace TENON_ISA_NAMESPACE {

/// The kernel. Blocks: x counts tiles of pixels, y tiles of a group's outputs, z groups and splits of the depth.
///
/// Law: each output is a sum in an order that depends on the shapes and the number of splits alone
/// (test: tests/cuda/conv_test.cpp).
template <ConvSpec Spec>
struct ConvKernel {
    static constexpr const char* name = "conv";
    using NumberType = Number<Spec.precision>;
    using Arguments = ConvArguments;

    static constexpr bool tensor_cores = Spec.tensor_cores();  // nvcc calls no constexpr function in a kernel
    static constexpr int threads = Spec.warps() * 32;
    static constexpr int number_size = static_cast<int>(sizeof(NumberType));
    static constexpr int tile_depth = Spec.depth_bytes / number_size;
    // A row of 16 bytes more: the rows that a warp reads at once then lie in different banks.
    static constexpr int row_numbers = tile_depth + 16 / number_size;
    static constexpr int vectors = tile_depth / Spec.vector;  // of a row
    static constexpr int rows_at_once = threads / vectors;
    static constexpr int pixel_rows = (Spec.tile_pixels + rows_at_once - 1) / rows_at_once;
    static constexpr int output_rows = (Spec.tile_outputs + rows_at_once - 1) / rows_at_once;
    static constexpr int copy_bytes = Spec.vector * number_size;
    static constexpr bool asynchronous = copy_bytes >= 4 && !Spec.prologue;
    static_assert(tile_depth % Spec.vector == 0 && threads % vectors == 0 && copy_bytes <= 16);

    // Without tensor cores 16 x 16 threads compute pixels and outputs 16 apart.
    static constexpr int thread_pixels = Spec.tile_pixels / 16, thread_outputs = Spec.tile_outputs / 16;
    static constexpr int mma_rows = tensor_cores ? Spec.warp_pixels / 16 : 1;
    static constexpr int mma_columns = tensor_cores ? Spec.warp_outputs / 8 : 2;
    static constexpr int warp_columns = tensor_cores ? Spec.tile_outputs / Spec.warp_outputs : 1;
    static constexpr int sums = tensor_cores ? mma_rows * mma_columns * 4 : thread_pixels * thread_outputs;

    struct Stage {
        NumberType source[Spec.tile_pixels][row_numbers];
        NumberType weights[Spec.tile_outputs][row_numbers];
    };
    union alignas(128) Shared {
        Stage stages[Spec.stages];
        float result[Spec.tile_pixels][Spec.tile_outputs + 4];
    };

    /// A thread's part of the loading and its sums.
    struct Registers {
        int term, ky, kx, channel;         // of the next vector
        int left;                          // products of the term from the next vector on
        int y[pixel_rows], x[pixel_rows];  // of the rows' windows
        long base[pixel_rows];             // of the rows' images
        float sum[sums / 4][4];
        std::uint32_t a[mma_rows][4], b[mma_columns / 2][4];  // of the tensor cores
    };

    template <class Block>
    TENON_DEVICE static void run(Block& block, const Arguments& arguments) {
        const Grid index = block.index();
        const int group = index.z / arguments.splits, split = index.z % arguments.splits;
        const int first_pixel = index.x * Spec.tile_pixels, first_output = index.y * Spec.tile_outputs;
        const Tile tile{arguments, group, first_pixel, first_output};
        const int first_term_tiles = tiles_of(arguments.terms[0]);
        const int all = first_term_tiles + (arguments.terms_used > 1 ? tiles_of(arguments.terms[1]) : 0);
        const int begin = static_cast<int>(static_cast<long>(all) * split / arguments.splits);
        const int end = static_cast<int>(static_cast<long>(all) * (split + 1) / arguments.splits);
        auto& stages = block.shared().stages;

        block.threads([&](int thread, Registers& registers) {
            TENON_CUDA_UNROLL
            for (int i = 0; i < sums; ++i) registers.sum[i / 4][i % 4] = 0;
            tile.start(thread, registers, begin, first_term_tiles);
            TENON_CUDA_UNROLL
            for (int i = 0; i < Spec.stages - 1; ++i) {
                if (begin + i < end) tile.load(block, thread, registers, stages[i]);
                block.commit(thread);
            }
            block.template wait<Spec.stages - 2>(thread);
        });
        int computed = 0, loaded = Spec.stages - 1;
        for (int at = begin; at < end; ++at) {
            block.warps([&](auto& warp) {
                warp.lanes([&](int thread, Registers& registers) {
                    if (at + Spec.stages - 1 < end) tile.load(block, thread, registers, stages[loaded]);
                    block.commit(thread);
                });
                if constexpr (tensor_cores)
                    multiply_by_tensor_cores(warp, stages[computed]);
                else
                    warp.lanes(
                        [&](int thread, Registers& registers) { multiply(thread, registers, stages[computed]); });
                warp.lanes([&](int thread, Registers&) { block.template wait<Spec.stages - 2>(thread); });
            });
            computed = computed + 1 == Spec.stages ? 0 : computed + 1;
            loaded = loaded + 1 == Spec.stages ? 0 : loaded + 1;
        }
        block.threads([&](int thread, Registers&) { block.template wait<0>(thread); });
        auto& result = block.shared().result;
        block.threads([&](int thread, Registers& registers) { collect(thread, registers, result); });
        block.threads([&](int thread, Registers&) { store(tile, split, thread, result); });
    }

    static Grid grid(const Arguments& arguments) {
        return {static_cast<int>(blocks_of(arguments.pixels, Spec.tile_pixels)),
                static_cast<int>(blocks_of(arguments.group_outputs, Spec.tile_outputs)),
                arguments.groups * arguments.splits};
    }

    /// Tiles of the depth of a term.
    TENON_HOST_DEVICE static int tiles_of(const ConvTermArguments& term) {
        return (term.depth + tile_depth - 1) / tile_depth;
    }

private:
    /// The part of the result that a block computes, and the way to what it needs.
    struct Tile {
        const Arguments& arguments;
        int group, first_pixel, first_output;

        /// Places a thread at a tile of the depth.
        TENON_DEVICE void start(int thread, Registers& registers, int tile, int first_term_tiles) const {
            registers.term = tile < first_term_tiles ? 0 : 1;
            if (registers.term >= arguments.terms_used) registers.term = arguments.terms_used - 1;
            start_term(thread, registers, (tile - registers.term * first_term_tiles) * tile_depth);
        }

        TENON_DEVICE void start_term(int thread, Registers& registers, int depth) const {
            const ConvTermArguments& term = arguments.terms[registers.term];
            const int k = depth + thread % vectors * Spec.vector, tap = k / term.group_channels;
            registers.channel = k - tap * term.group_channels;
            registers.ky = tap / term.kernel_width;
            registers.kx = tap - registers.ky * term.kernel_width;
            registers.left = term.depth - k;
            const int map = arguments.height * arguments.width;
            TENON_CUDA_UNROLL
            for (int i = 0; i < pixel_rows; ++i) {
                const int row = thread / vectors + i * rows_at_once, pixel = first_pixel + row;
                const int image = pixel / map, inside = pixel - image * map, y = inside / arguments.width;
                const bool exists = pixel < arguments.pixels && row < Spec.tile_pixels;
                registers.y[i] = exists ? y * term.stride_height - term.top : -0x10000;
                registers.x[i] = (inside - y * arguments.width) * term.stride_width - term.left;
                registers.base[i] =
                    static_cast<long>(image) * term.height * term.width * term.channels + group * term.group_channels;
            }
        }

        /// Begins to load the next tile of the depth and moves on by one.
        template <class Block>
        TENON_DEVICE void load(Block& block, int thread, Registers& registers, Stage& stage) const {
            const ConvTermArguments& term = arguments.terms[registers.term];
            const int column = thread % vectors * Spec.vector, first_row = thread / vectors;
            const auto* source = static_cast<const NumberType*>(term.source);
            const auto* weights = static_cast<const NumberType*>(term.weights);
            const bool inside = registers.left > 0;
            TENON_CUDA_UNROLL
            for (int i = 0; i < pixel_rows; ++i) {
                const int row = first_row + i * rows_at_once;
                const int y = registers.y[i] + registers.ky, x = registers.x[i] + registers.kx;
                const bool valid = inside && y >= 0 && y < term.height && x >= 0 && x < term.width;
                const long at =
                    registers.base[i] + static_cast<long>(y * term.width + x) * term.channels + registers.channel;
                if (row < Spec.tile_pixels)
                    copy<true>(block, thread, &stage.source[row][column], valid ? source + at : source, valid, term,
                               group * term.group_channels + registers.channel);
            }
            TENON_CUDA_UNROLL
            for (int i = 0; i < output_rows; ++i) {
                const int row = first_row + i * rows_at_once, output = first_output + row;
                const bool valid = inside && output < arguments.group_outputs;
                const long at =
                    static_cast<long>(group * arguments.group_outputs + output + 1) * term.depth - registers.left;
                if (row < Spec.tile_outputs)
                    copy<false>(block, thread, &stage.weights[row][column], valid ? weights + at : weights, valid, term,
                                0);
            }
            advance(thread, registers, term);
        }

        TENON_DEVICE void advance(int thread, Registers& registers, const ConvTermArguments& term) const {
            const int before = registers.left + thread % vectors * Spec.vector;  // the same for all threads
            if (before <= tile_depth && registers.term + 1 < arguments.terms_used) {
                ++registers.term;
                return start_term(thread, registers, 0);
            }
            registers.left -= tile_depth;
            registers.channel += tile_depth;
            while (registers.channel >= term.group_channels) {
                registers.channel -= term.group_channels;
                if (++registers.kx == term.kernel_width) {
                    registers.kx = 0;
                    ++registers.ky;
                }
            }
        }

        template <bool Source, class Block>
        TENON_DEVICE static void copy(Block& block, int thread, NumberType* to, const NumberType* from, bool valid,
                                      const ConvTermArguments& term, int channel) {
            if constexpr (copy_bytes >= 4 && (asynchronous || !Source)) {
                block.template copy_async<copy_bytes>(thread, to, from, valid);
            } else {
                float values[Spec.vector]{};
                if (valid) {
                    load_floats(from, values);
                    if (Source && Spec.prologue && term.scale) {
                        float scale[Spec.vector], shift[Spec.vector];
                        load_floats(term.scale + channel, scale);
                        load_floats(term.scale + term.channels + channel, shift);
                        TENON_CUDA_UNROLL
                        for (int i = 0; i < Spec.vector; ++i) {
                            values[i] = values[i] * scale[i] + shift[i];
                            if (term.relu) values[i] = positive_part(values[i]);
                        }
                    }
                }
                store_floats(values, to);
            }
        }
    };

    TENON_DEVICE static float& sum_of(Registers& registers, int i, int j) {
        return registers.sum[(i * thread_outputs + j) / 4][(i * thread_outputs + j) % 4];
    }

    /// Products of a tile without tensor cores, four of the depth at a time.
    TENON_DEVICE static void multiply(int thread, Registers& registers, const Stage& stage) {
        const int row = thread / 16, column = thread % 16;
        TENON_CUDA_UNROLL
        for (int k = 0; k < tile_depth; k += 4) {
            float a[thread_pixels][4], b[4];
            TENON_CUDA_UNROLL
            for (int i = 0; i < thread_pixels; ++i) load_floats(&stage.source[row + i * 16][k], a[i]);
            TENON_CUDA_UNROLL
            for (int j = 0; j < thread_outputs; ++j) {
                load_floats(&stage.weights[column + j * 16][k], b);
                TENON_CUDA_UNROLL
                for (int i = 0; i < thread_pixels; ++i) {
                    TENON_CUDA_UNROLL
                    for (int l = 0; l < 4; ++l) sum_of(registers, i, j) += a[i][l] * b[l];
                }
            }
        }
    }

    /// The parts of one product of a tensor core that a lane holds.
    struct Fragments {
        float (&sums)[4];
        std::uint32_t (&a)[4];
        std::uint32_t b0, b1;
    };

    template <class Warp>
    TENON_DEVICE static void multiply_by_tensor_cores(Warp& warp, const Stage& stage) {
        const int first_row = warp.index() / warp_columns * Spec.warp_pixels;
        const int first_column = warp.index() % warp_columns * Spec.warp_outputs;
        TENON_CUDA_UNROLL
        for (int k = 0; k < tile_depth; k += 32 / number_size) {
            TENON_CUDA_UNROLL
            for (int i = 0; i < mma_rows; ++i)
                warp.load_matrices(
                    [&](int thread) {
                        const int row = first_row + i * 16 + thread % 16;
                        return static_cast<const void*>(&stage.source[row][k + thread % 32 / 16 * (16 / number_size)]);
                    },
                    [&](Registers& registers) -> std::uint32_t(&)[4] { return registers.a[i]; });
            TENON_CUDA_UNROLL
            for (int j = 0; j < mma_columns; j += 2)
                warp.load_matrices(
                    [&](int thread) {
                        const int row = first_column + j * 8 + thread % 8 + thread % 32 / 16 * 8;
                        return static_cast<const void*>(&stage.weights[row][k + thread % 16 / 8 * (16 / number_size)]);
                    },
                    [&](Registers& registers) -> std::uint32_t(&)[4] { return registers.b[j / 2]; });
            if constexpr (Spec.precision == Precision::tensor_float32)
                warp.lanes([&](int, Registers& registers) {
                    TENON_CUDA_UNROLL
                    for (int i = 0; i < mma_rows; ++i) {
                        TENON_CUDA_UNROLL
                        for (int l = 0; l < 4; ++l) registers.a[i][l] = round_to_tensor_float(registers.a[i][l]);
                    }
                });
            TENON_CUDA_UNROLL
            for (int i = 0; i < mma_rows; ++i) {
                TENON_CUDA_UNROLL
                for (int j = 0; j < mma_columns; ++j)
                    warp.template multiply_add<Spec.precision>([&](Registers& registers) {
                        return Fragments{registers.sum[i * mma_columns + j], registers.a[i],
                                         registers.b[j / 2][j % 2 * 2], registers.b[j / 2][j % 2 * 2 + 1]};
                    });
            }
        }
    }

    /// Puts a thread's sums into the block's result.
    TENON_DEVICE static void collect(int thread, Registers& registers,
                                     float (&result)[Spec.tile_pixels][Spec.tile_outputs + 4]) {
        if constexpr (tensor_cores) {
            const int warp = thread / 32, group = thread % 32 / 4, column = thread % 4 * 2;
            TENON_CUDA_UNROLL
            for (int i = 0; i < mma_rows; ++i) {
                TENON_CUDA_UNROLL
                for (int j = 0; j < mma_columns; ++j) {
                    TENON_CUDA_UNROLL
                    for (int l = 0; l < 4; ++l)
                        result[warp / warp_columns * Spec.warp_pixels + i * 16 + l / 2 * 8 + group]
                              [warp % warp_columns * Spec.warp_outputs + j * 8 + column + l % 2] =
                                  registers.sum[i * mma_columns + j][l];
                }
            }
        } else {
            TENON_CUDA_UNROLL
            for (int i = 0; i < thread_pixels; ++i) {
                TENON_CUDA_UNROLL
                for (int j = 0; j < thread_outputs; ++j)
                    result[thread / 16 + i * 16][thread % 16 + j * 16] = sum_of(registers, i, j);
            }
        }
    }

    /// Finishes and stores the block's result, neighbouring threads neighbouring channels.
    TENON_DEVICE static void store(const Tile& tile, int split, int thread,
                                   const float (&result)[Spec.tile_pixels][Spec.tile_outputs + 4]) {
        constexpr int packs = Spec.tile_outputs / Spec.output_vector;
        const Arguments& arguments = tile.arguments;
        for (int i = thread; i < Spec.tile_pixels * packs; i += threads) {
            const int row = i / packs, column = i % packs * Spec.output_vector;
            const int pixel = tile.first_pixel + row, output = tile.first_output + column;
            if (pixel >= arguments.pixels || output >= arguments.group_outputs) continue;
            const int channel = tile.group * arguments.group_outputs + output;
            float values[Spec.output_vector];
            load_floats(&result[row][column], values);
            if (arguments.splits > 1)
                store_floats(values,
                             arguments.partials +
                                 (static_cast<long>(split) * arguments.pixels + pixel) * arguments.finish.channels +
                                 channel);
            else
                finish<NumberType>(arguments.finish, pixel, channel, values);
        }
    }
};

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::cuda
