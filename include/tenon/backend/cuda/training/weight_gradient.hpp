#pragma once
// IWYU pragma: private, include <tenon/cuda.hpp>

// The gradient of a convolution's weights as a product of matrices: outputs x pixels times pixels x (taps, channels).
//
// The depth of the product is the batch's pixels, which are many, and the result is small: the depth is split among
// blocks, whose sums are stored and added in order. As in a forward convolution, the map's windows are never stored.
// Both operands are stored pixel by pixel, so tensor cores read them transposed.

#include <tenon/backend/cuda/kernels/map.hpp>
#include <tenon/backend/cuda/kernels/product_tile.hpp>
#include <tenon/backend/cuda/training/weight_gradient_loader.hpp>
#include <tenon/core/index.hpp>

namespace tenon::cuda {

inline namespace TENON_ISA_NAMESPACE {

/// Sums up the splits of a weight gradient in order and stores the sums in the order of the parameter. Channels that
/// are padding of a source have no weights.
struct SumWeightGradientBody {
    static constexpr const char* name = "sum_weight_gradient";
    // Splits that a thread loads before it adds the first: there may be two for each multiprocessor, and few threads.
    static constexpr int at_once = 8;
    long count = 0;  ///< outputs * columns
    const float* partials = nullptr;
    float* weights = nullptr;
    int splits = 1, columns = 1;
    WeightLayout layout{};

    TENON_DEVICE void operator()(long index) const {
        const long output = index / columns;
        const int place = layout.place(static_cast<int>(index - output * columns));
        if (place < 0) return;
        float sum = 0;
        for (int split = 0; split < splits; split += at_once) {
            float parts[at_once];
            TENON_CUDA_UNROLL
            for (int i = 0; i < at_once; ++i)
                if (split + i < splits) parts[i] = partials[(split + i) * count + index];
            TENON_CUDA_UNROLL
            for (int i = 0; i < at_once; ++i)
                if (split + i < splits) sum += parts[i];
        }
        weights[output * (layout.inputs * layout.taps) + place] = sum;
    }
};

/// The kernel. Blocks: x counts tiles of columns, y tiles of a group's outputs, z groups and splits of the depth.
///
/// Of the blocks that share a tile of the result, the one that comes last adds the splits, in their order, and stores
/// the gradient; or another launch does, where that is too much for one block.
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
        unsigned ticket;
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
            store_sums(loader, split, thread, registers);
        });
        if (!arguments.weights) return;
        if (arguments.splits > 1) {
            const Grid grid = block.grid();
            const int tile = (group * grid.y + index.y) * grid.x + index.x;
            if (!comes_last(block, arguments.tickets + tile, arguments.splits, block.shared().ticket)) return;
        }
        block.threads([&](int thread, Registers&) { store_weights(loader, thread); });
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

    /// The first of the tile's sums of a split.
    TENON_DEVICE static float* sums_of(const Loader& loader, int split) {
        const Arguments& arguments = loader.arguments;
        const long row =
            (long{split} * arguments.groups + loader.group) * arguments.group_outputs + loader.first_output;
        return arguments.partials + row * arguments.columns + loader.first_column;
    }

    /// Stores a thread's sums of a split.
    TENON_DEVICE static void store_sums(const Loader& loader, int split, int thread, Registers& registers) {
        const Arguments& arguments = loader.arguments;
        float* const to = sums_of(loader, split);
        const auto put = [&](int row, int column, float sum) {
            if (loader.first_output + row < arguments.group_outputs && loader.first_column + column < arguments.columns)
                to[long{row} * arguments.columns + column] = sum;
        };
        if constexpr (tensor_cores) {
            Product::each_sum(thread, registers, put);
        } else {
            TENON_CUDA_UNROLL
            for (int i = 0; i < thread_outputs; ++i) {
                TENON_CUDA_UNROLL
                for (int j = 0; j < thread_columns; ++j)
                    put(thread / 16 * thread_outputs + i, thread % 16 * thread_columns + j, registers.sum[i][j]);
            }
        }
    }

    /// Adds the splits of the block's tile and stores them in the order of the parameter. A thread has a column, and
    /// loads the sums of several rows at once: those after the result's last are loaded from the first row.
    TENON_DEVICE static void store_weights(const Loader& loader, int thread) {
        constexpr int step = threads / Spec.tile_columns, at_once = 16;  // rows
        static_assert(Spec.tile_outputs % (step * at_once) == 0);
        const Arguments& arguments = loader.arguments;
        const int column = thread % Spec.tile_columns;
        if (loader.first_column + column >= arguments.columns) return;
        const int place = arguments.layout.place(loader.first_column + column);
        if (place < 0) return;
        const int left = arguments.group_outputs - loader.first_output;
        const int rows = left < Spec.tile_outputs ? left : Spec.tile_outputs;
        const int size = arguments.layout.inputs * arguments.layout.taps;
        const long output = long{loader.group} * arguments.group_outputs + loader.first_output;
        const long split_size = long{arguments.groups} * arguments.group_outputs * arguments.columns;
        for (int first = thread / Spec.tile_columns; first < rows; first += step * at_once) {
            const float* from = sums_of(loader, 0) + long{first} * arguments.columns + column;
            float sums[at_once]{};
            for (int split = 0; split < arguments.splits; ++split, from += split_size) {
                TENON_CUDA_UNROLL
                for (int i = 0; i < at_once; ++i)
                    sums[i] += from[first + i * step < rows ? i * step * arguments.columns : 0];
            }
            TENON_CUDA_UNROLL
            for (int i = 0; i < at_once; ++i)
                if (first + i * step < rows) arguments.weights[(output + first + i * step) * size + place] = sums[i];
        }
    }
};

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::cuda
