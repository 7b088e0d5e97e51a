#pragma once
// IWYU pragma: private, include <tenon/cuda.hpp>

// The gradient of a convolution's weights as a product of matrices: outputs x pixels times pixels x (taps, channels).
//
// The depth of the product is the batch's pixels, which are many, and the result is small: the depth is split among
// blocks, whose sums are stored and added in order (kernels/sum_splits.hpp). As in a forward convolution, the map's
// windows are never stored. Both operands are stored pixel by pixel, so tensor cores read them transposed.

#include <tenon/backend/cuda/kernels/product_tile.hpp>
#include <tenon/backend/cuda/training/weight_gradient_loader.hpp>
#include <tenon/core/index.hpp>

namespace tenon::cuda {

inline namespace TENON_ISA_NAMESPACE {

/// The kernel. Blocks: x counts tiles of columns, y tiles of a group's outputs, z groups and splits of the depth.
///
/// Law: each sum is computed in an order that depends only on the shapes and the number of splits
/// (test: tests/backend/cuda/weight_gradient_test.cpp).
template <WeightGradientSpec Spec>
struct WeightGradientKernel {
    static constexpr const char* name = "weight_gradient";
    static constexpr WeightGradientSpec spec = Spec;
    using NumberType = Number<Spec.precision>;
    using Arguments = WeightGradientArguments;
    using Loader = WeightGradientLoader<Spec>;
    using Stage = typename Loader::Stage;
    using Product =
        ProductTile<Spec.precision, Spec.tile_outputs, Spec.tile_columns, Spec.warp_outputs, Spec.warp_columns>;

    static constexpr int threads = Loader::threads, number_size = Loader::number_size, depth = Loader::depth;
    static constexpr int min_blocks = weight_gradient_blocks;    // one loads while the other multiplies
    static constexpr bool tensor_cores = Product::tensor_cores;  // in kernels, nvcc calls no constexpr functions
    // Without tensor cores, each of 16 x 16 threads computes neighboring outputs and columns.
    static constexpr int thread_outputs = Product::thread_rows, thread_columns = Product::thread_columns;
    static_assert(tensor_cores || (thread_columns == 4 && thread_outputs % 4 == 0));

    struct alignas(128) Shared {
        Stage stages[Spec.stages];
    };

    struct Registers : Loader::Place, Product::Registers {};

    template <class Block>
    TENON_DEVICE static void run(Block& block, const Arguments& arguments) {
        const Grid index = block.index();
        const int group = index.z / arguments.splits, split = index.z % arguments.splits;
        const Loader loader{arguments, group, index.y * Spec.tile_outputs, index.x * Spec.tile_columns};
        const DepthShare share = DepthShare::of((arguments.pixels + depth - 1) / depth, split, arguments.splits);
        Product::run(
            block, block.shared().stages, share,
            [&](int thread, Registers& registers) { loader.start(thread, registers, share.begin * depth); },
            [&](int thread, Registers& registers, Stage& stage) { loader.load(block, thread, registers, stage); },
            [&](auto& warp, const Stage& stage) { multiply(warp, stage); });
        block.threads([&](int thread, Registers& registers) {
            block.template wait<0>(thread);
            store(loader, split, thread, registers);
        });
    }

    static Grid grid(const Arguments& arguments) {
        return {static_cast<int>(blocks_of(arguments.columns, Spec.tile_columns)),
                static_cast<int>(blocks_of(arguments.group_outputs, Spec.tile_outputs)),
                arguments.groups * arguments.splits};
    }

private:
    template <class Warp>
    TENON_DEVICE static void multiply(Warp& warp, const Stage& stage) {
        if constexpr (tensor_cores)
            multiply_by_tensor_cores(warp, stage);
        else
            warp.lanes([&](int thread, Registers& registers) { multiply_by_threads(thread, registers, stage); });
    }

    /// The products of a tile without tensor cores.
    TENON_DEVICE static void multiply_by_threads(int thread, Registers& registers, const Stage& stage) {
        const int row = thread / 16 * thread_outputs, column = thread % 16 * thread_columns;
        TENON_CUDA_UNROLL
        for (int k = 0; k < depth; ++k) {
            float a[thread_outputs], b[thread_columns];
            TENON_CUDA_UNROLL
            for (int i = 0; i < thread_outputs; i += 4) {
                float pack[4];
                load_floats(&stage.gradient[k][row + i], pack);
                TENON_CUDA_UNROLL
                for (int l = 0; l < 4; ++l) a[i + l] = pack[l];
            }
            load_floats(&stage.source[k][column], b);
            TENON_CUDA_UNROLL
            for (int i = 0; i < thread_outputs; ++i) {
                TENON_CUDA_UNROLL
                for (int j = 0; j < thread_columns; ++j) registers.sum[i][j] += a[i] * b[j];
            }
        }
    }

    template <class Warp>
    TENON_DEVICE static void multiply_by_tensor_cores(Warp& warp, const Stage& stage) {
        const int first_row = Product::first_row(warp.index()), first_column = Product::first_column(warp.index());
        TENON_CUDA_UNROLL
        for (int k = 0; k < depth; k += 32 / number_size) {
            if constexpr (number_size == 2)
                load_fragments(warp, stage, k, first_row, first_column);
            else
                warp.lanes([&](int thread, Registers& registers) {
                    load_tensor_floats(thread % 32, registers, stage, k, first_row, first_column);
                });
            Product::multiply_add(warp);
        }
    }

    /// 16 pixels of both operands, transposed so that neighboring pixels share a word.
    template <class Warp>
    TENON_DEVICE static void load_fragments(Warp& warp, const Stage& stage, int k, int first_row, int first_column) {
        TENON_CUDA_UNROLL
        for (int i = 0; i < Product::mma_rows; ++i)
            warp.load_transposed_matrices(
                [&](int thread) {
                    const int pixel = k + thread % 8 + thread % 32 / 16 * 8;
                    return static_cast<const void*>(&stage.gradient[pixel][first_row + i * 16 + thread % 16 / 8 * 8]);
                },
                [&](Registers& registers) -> std::uint32_t(&)[4] { return registers.a[i]; });
        TENON_CUDA_UNROLL
        for (int j = 0; j < Product::mma_columns; j += 2)
            warp.load_transposed_matrices(
                [&](int thread) {
                    const int pixel = k + thread % 16;
                    return static_cast<const void*>(&stage.source[pixel][first_column + j * 8 + thread % 32 / 16 * 8]);
                },
                [&](Registers& registers) -> std::uint32_t(&)[4] { return registers.b[j / 2]; });
    }

    /// 8 pixels of both operands: ldmatrix can't transpose words of 32 bits, so each lane reads its own.
    TENON_DEVICE static void load_tensor_floats(int lane, Registers& registers, const Stage& stage, int k,
                                                int first_row, int first_column) {
        TENON_CUDA_UNROLL
        for (int i = 0; i < Product::mma_rows; ++i) {
            TENON_CUDA_UNROLL
            for (int l = 0; l < 4; ++l)
                registers.a[i][l] = round_to_tensor_float(bits_of(
                    to_float(stage.gradient[k + lane % 4 + l / 2 * 4][first_row + i * 16 + lane / 4 + l % 2 * 8])));
        }
        TENON_CUDA_UNROLL
        for (int j = 0; j < Product::mma_columns / 2; ++j) {
            TENON_CUDA_UNROLL
            for (int l = 0; l < 4; ++l)
                registers.b[j][l] = round_to_tensor_float(bits_of(
                    to_float(stage.source[k + lane % 4 + l % 2 * 4][first_column + (2 * j + l / 2) * 8 + lane / 4])));
        }
    }

    /// Stores a thread's sums.
    TENON_DEVICE static void store(const Loader& loader, int split, int thread, Registers& registers) {
        const Arguments& arguments = loader.arguments;
        const auto put = [&](int output, int column, float value) {
            if (output >= arguments.group_outputs || column >= arguments.columns) return;
            const long row = (long{split} * arguments.groups + loader.group) * arguments.group_outputs + output;
            arguments.partials[row * arguments.columns + column] = value;
        };
        if constexpr (tensor_cores) {
            Product::each_sum(thread, registers, [&](int row, int column, float sum) {
                put(loader.first_output + row, loader.first_column + column, sum);
            });
        } else {
            const int row = loader.first_output + thread / 16 * thread_outputs;
            const int column = loader.first_column + thread % 16 * thread_columns;
            TENON_CUDA_UNROLL
            for (int i = 0; i < thread_outputs; ++i) {
                TENON_CUDA_UNROLL
                for (int j = 0; j < thread_columns; ++j) put(row + i, column + j, registers.sum[i][j]);
            }
        }
    }
};

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::cuda
