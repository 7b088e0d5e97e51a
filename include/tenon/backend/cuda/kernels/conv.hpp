#pragma once
// IWYU pragma: private, include <tenon/cuda.hpp>

// Convolutions and linear layers as one product of matrices: pixels x (taps, channels) times (taps, channels) x
// outputs.
//
// Weights are stored output by output, tap by tap, channel by channel. A sum of two convolutions is one product over
// both depths.

#include <tenon/backend/cuda/kernels/conv_loader.hpp>
#include <tenon/backend/cuda/kernels/product_tile.hpp>
#include <tenon/core/index.hpp>

namespace tenon::cuda {

inline namespace TENON_ISA_NAMESPACE {

/// The kernel. Blocks: x counts tiles of a group's outputs, then of pixels, so that blocks that run at the same time
/// read the same pixels, which are more bytes than the weights; z counts groups and splits of the depth.
///
/// Of the blocks that share a tile of the result, the one that comes last adds the splits, in their order, whichever it
/// is; or another launch does (sum_splits.hpp), where that is too much for one block.
///
/// Law: each output is a sum in an order that depends only on the shapes and the number of splits
/// (test: tests/backend/cuda/conv_test.cpp).
template <ConvSpec Spec>
struct ConvKernel {
    static constexpr const char* name = "conv";
    static constexpr ConvSpec spec = Spec;
    using NumberType = Number<Spec.precision>;
    using Arguments = ConvArguments;
    using Loader = ConvLoader<Spec>;
    using Stage = typename Loader::Stage;
    using Product =
        ProductTile<Spec.precision, Spec.tile_pixels, Spec.tile_outputs, Spec.warp_pixels, Spec.warp_outputs>;

    static constexpr int threads = Loader::threads, number_size = Loader::number_size;
    // One loads while the other multiplies, of the small tile as many as conv_choice.hpp counts on; more and smaller
    // copies need more registers than half of them.
    static constexpr bool is_small = Spec.tile_pixels == 32 && Spec.precision != Precision::float32;
    static constexpr int min_blocks = Loader::copy_bytes < 16 ? 1 : is_small ? 6 : 2;
    static constexpr bool tensor_cores = Product::tensor_cores;  // in kernels, nvcc calls no constexpr functions
    // Without tensor cores, 16 x 16 threads compute pixels and outputs that are 16 apart.
    static constexpr int thread_pixels = Product::thread_rows, thread_outputs = Product::thread_columns;

    // 32 bytes of padding: neighboring rows, which a warp writes at the same time, are in different banks.
    static constexpr int result_columns = Spec.tile_outputs + 8;
    struct Result {
        float values[Spec.tile_pixels][result_columns];
        unsigned ticket;
    };
    union alignas(128) Shared {
        Stage stages[Spec.stages];
        Result result;
    };
    struct Registers : Loader::Place, Product::Registers {};

    template <class Block>
    TENON_DEVICE static void run(Block& block, const Arguments& arguments) {
        const Grid index = block.index();
        const int group = index.z / arguments.splits, split = index.z % arguments.splits;
        const int across = (arguments.group_outputs + Spec.tile_outputs - 1) / Spec.tile_outputs;
        const int row = index.x / across;
        const Loader loader{arguments, group, row * Spec.tile_pixels, (index.x - row * across) * Spec.tile_outputs};
        const int first_term_tiles = Loader::tiles_of(arguments.terms[0]);
        const int all = first_term_tiles + (arguments.terms_used > 1 ? Loader::tiles_of(arguments.terms[1]) : 0);
        const DepthShare share = DepthShare::of(all, split, arguments.splits);
        Product::run(
            block, block.shared().stages, share,
            [&](int thread, Registers& registers) { loader.start(thread, registers, share.begin, first_term_tiles); },
            [&](int thread, Registers& registers, Stage& stage) { loader.load(block, thread, registers, stage); },
            [&](auto& warp, const Stage& stage) { multiply(warp, stage); });
        Result& result = block.shared().result;
        block.threads([&](int thread, Registers& registers) {
            block.template wait<0>(thread);  // only empty groups are left, so nothing lands in the result
            collect(thread, registers, result.values);
        });
        const bool is_split = arguments.splits > 1;
        if (is_split) {
            block.threads([&](int thread, Registers&) { store_sums(loader, split, thread, result.values); });
            if (!arguments.tickets) return;
            const int tile = loader.group * block.grid().x + index.x;
            if (!comes_last(block, arguments.tickets + tile, arguments.splits, result.ticket)) return;
        }
        block.threads([&](int thread, Registers&) {
            if (is_split) add_sums(loader, thread, result.values);
            store(loader, thread, result.values);
        });
    }

    static Grid grid(const Arguments& arguments) {
        return {static_cast<int>(blocks_of(arguments.pixels, Spec.tile_pixels) *
                                 blocks_of(arguments.group_outputs, Spec.tile_outputs)),
                1, arguments.groups * arguments.splits};
    }

private:
    template <class Warp>
    TENON_DEVICE static void multiply(Warp& warp, const Stage& stage) {
        if constexpr (tensor_cores)
            multiply_by_tensor_cores(warp, stage);
        else
            warp.lanes([&](int thread, Registers& registers) { multiply_by_threads(thread, registers, stage); });
    }

    TENON_DEVICE static float& sum_of(Registers& registers, int i, int j) {
        return registers.sum[(i * thread_outputs + j) / 4][(i * thread_outputs + j) % 4];
    }

    /// The products of a tile without tensor cores, four of the depth at a time.
    TENON_DEVICE static void multiply_by_threads(int thread, Registers& registers, const Stage& stage) {
        const int row = thread / 16, column = thread % 16;
        TENON_CUDA_UNROLL
        for (int k = 0; k < Loader::tile_depth; k += 4) {
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

    template <class Warp>
    TENON_DEVICE static void multiply_by_tensor_cores(Warp& warp, const Stage& stage) {
        const int first_row = Product::first_row(warp.index()), first_column = Product::first_column(warp.index());
        TENON_CUDA_UNROLL
        for (int k = 0; k < Loader::tile_depth; k += 32 / number_size) {
            TENON_CUDA_UNROLL
            for (int i = 0; i < Product::mma_rows; ++i)
                warp.load_matrices(
                    [&](int thread) {
                        const int row = first_row + i * 16 + thread % 16;
                        return static_cast<const void*>(&stage.source[row][k + thread % 32 / 16 * (16 / number_size)]);
                    },
                    [&](Registers& registers) -> std::uint32_t(&)[4] { return registers.a[i]; });
            TENON_CUDA_UNROLL
            for (int j = 0; j < Product::mma_columns; j += 2)
                warp.load_matrices(
                    [&](int thread) {
                        const int row = first_column + j * 8 + thread % 8 + thread % 32 / 16 * 8;
                        return static_cast<const void*>(&stage.weights[row][k + thread % 16 / 8 * (16 / number_size)]);
                    },
                    [&](Registers& registers) -> std::uint32_t(&)[4] { return registers.b[j / 2]; });
            if constexpr (Spec.precision == Precision::tensor_float32)
                warp.lanes([&](int, Registers& registers) {
                    TENON_CUDA_UNROLL
                    for (int i = 0; i < Product::mma_rows; ++i) {
                        TENON_CUDA_UNROLL
                        for (int l = 0; l < 4; ++l) registers.a[i][l] = round_to_tensor_float(registers.a[i][l]);
                    }
                });
            Product::multiply_add(warp);
        }
    }

    /// Copies a thread's sums into the block's result.
    TENON_DEVICE static void collect(int thread, Registers& registers,
                                     float (&result)[Spec.tile_pixels][result_columns]) {
        if constexpr (tensor_cores) {
            Product::each_sum(thread, registers, [&](int row, int column, float sum) { result[row][column] = sum; });
        } else {
            TENON_CUDA_UNROLL
            for (int i = 0; i < thread_pixels; ++i) {
                TENON_CUDA_UNROLL
                for (int j = 0; j < thread_outputs; ++j)
                    result[thread / 16 + i * 16][thread % 16 + j * 16] = sum_of(registers, i, j);
            }
        }
    }

    // What a thread stores of the result: neighboring threads store neighboring channels, and a thread's channels are
    // the same in all of its pixels.
    static constexpr int packs = Spec.tile_outputs / Spec.output_vector, rows = threads / packs, splits_at_once = 4;
    static_assert(threads % packs == 0 && Spec.tile_pixels % rows == 0);

    /// Stores the block's sums of a split.
    TENON_DEVICE static void store_sums(const Loader& loader, int split, int thread,
                                        const float (&result)[Spec.tile_pixels][result_columns]) {
        const Arguments& arguments = loader.arguments;
        const int column = thread % packs * Spec.output_vector, output = loader.first_output + column;
        if (output >= arguments.group_outputs) return;
        float* const sums = arguments.partials + long{split} * arguments.pixels * arguments.epilogue.channels +
                            loader.group * arguments.group_outputs + output;
        for (int row = thread / packs; row < Spec.tile_pixels; row += rows) {
            const int pixel = loader.first_pixel + row;
            if (pixel >= arguments.pixels) return;
            float values[Spec.output_vector];
            load_floats(&result[row][column], values);
            store_floats(values, sums + long{pixel} * arguments.epilogue.channels);
        }
    }

    /// Replaces the sums that the thread will store by those of all splits, of which it loads several at once.
    TENON_DEVICE static void add_sums(const Loader& loader, int thread,
                                      float (&result)[Spec.tile_pixels][result_columns]) {
        const Arguments& arguments = loader.arguments;
        const int column = thread % packs * Spec.output_vector, output = loader.first_output + column;
        if (output >= arguments.group_outputs) return;
        const long size = long{arguments.pixels} * arguments.epilogue.channels;
        for (int row = thread / packs; row < Spec.tile_pixels; row += rows) {
            const int pixel = loader.first_pixel + row;
            if (pixel >= arguments.pixels) return;
            const float* const from = arguments.partials + long{pixel} * arguments.epilogue.channels +
                                      loader.group * arguments.group_outputs + output;
            float values[Spec.output_vector]{};
            for (int split = 0; split < arguments.splits; split += splits_at_once) {
                float parts[splits_at_once][Spec.output_vector];
                TENON_CUDA_UNROLL
                for (int i = 0; i < splits_at_once; ++i)
                    if (split + i < arguments.splits) load_floats(from + (split + i) * size, parts[i]);
                TENON_CUDA_UNROLL
                for (int i = 0; i < splits_at_once; ++i) {
                    if (split + i >= arguments.splits) continue;
                    TENON_CUDA_UNROLL
                    for (int j = 0; j < Spec.output_vector; ++j) values[j] += parts[i][j];
                }
            }
            store_floats(values, &result[row][column]);
        }
    }

    /// Applies the epilogue to the block's result and stores it. What a thread reads of several pixels is loaded at
    /// once, before anything is stored: a residual may be where the target is, so the compiler could not do that.
    TENON_DEVICE static void store(const Loader& loader, int thread,
                                   const float (&result)[Spec.tile_pixels][result_columns]) {
        constexpr int rounds = Spec.tile_pixels / rows, at_once = rounds < 4 ? rounds : 4;
        static_assert(rounds % at_once == 0);
        const Arguments& arguments = loader.arguments;
        const int first_row = thread / packs, column = thread % packs * Spec.output_vector;
        const int output = loader.first_output + column;
        if (output >= arguments.group_outputs) return;
        const int channel = loader.group * arguments.group_outputs + output;
        const EpilogueChannels<Spec.output_vector> channels{arguments.epilogue, channel};
        for (int round = 0; round < rounds; round += at_once) {
            const int row = first_row + round * rows, pixel = loader.first_pixel + row;
            if (pixel >= arguments.pixels) return;
            float residual[at_once][Spec.output_vector];
            if (arguments.epilogue.residual) {
                // All places first, and after the last pixel the first again: a branch between the loads would wait
                // for them.
                long at[at_once];
                TENON_CUDA_UNROLL
                for (int i = 0; i < at_once; ++i)
                    at[i] = residual_pixel(arguments.epilogue,
                                           pixel + i * rows < arguments.pixels ? pixel + i * rows : pixel);
                TENON_CUDA_UNROLL
                for (int i = 0; i < at_once; ++i)
                    load_residual<NumberType>(arguments.epilogue, at[i], channel, residual[i]);
            }
            TENON_CUDA_UNROLL
            for (int i = 0; i < at_once; ++i) {
                if (pixel + i * rows >= arguments.pixels) return;
                float values[Spec.output_vector];
                load_floats(&result[row + i * rows][column], values);
                finish_epilogue<NumberType>(arguments.epilogue, channels, residual[i], pixel + i * rows, channel,
                                            values);
            }
        }
    }
};

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::cuda
