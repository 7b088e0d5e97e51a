// The gradient of a convolution's weights as a product of matrices: outputs x pixels times pixels x (taps, channels).
//
// The depth of the product is the batch's pixels, which are many, and the result is small: the depth is split among
// blocks, whose sums are stored and added in their order. As in a forward convolution the map's windows are never
// stored. Both operands lie pixel by pixel, so tensor cores read them transposed.
#pragma once

#include <algorithm>

#include <tenon/backend/cuda/block.hpp>
#include <tenon/backend/cuda/conv_choice.hpp>

namespace tenon::cuda {

/// What changes a weight gradient kernel's code.
struct WeightGradientSpec {
    Precision precision = Precision::float32;
    int tile_outputs = 64, tile_columns = 64;  ///< of a block; a column is a channel under a tap
    int warp_outputs = 32, warp_columns = 32;  ///< of a warp, with tensor cores
    int stages = 3;                            ///< tiles of the depth in shared memory
    int depth_bytes = 64;                      ///< of a tile of the depth: so many bytes of one channel
    int vector = 4;                            ///< channels of the source that are loaded at once
    int output_vector = 4;                     ///< channels of the gradient that are loaded at once
    friend constexpr bool operator==(const WeightGradientSpec&, const WeightGradientSpec&) = default;

    constexpr bool tensor_cores() const { return precision != Precision::float32; }
    constexpr int warps() const {
        return tensor_cores() ? tile_outputs / warp_outputs * (tile_columns / warp_columns) : 8;
    }
};

/// The tiles there are kernels for.
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

/// A weight gradient's tile and splits.
struct WeightGradientChoice {
    int tile = 0, splits = 1;
};

/// Large tiles where they are filled; as many splits as give every multiprocessor work, each of at least four tiles of
/// the depth.
constexpr WeightGradientChoice choose_weight_gradient(Precision precision, long pixels, int outputs, int columns,
                                                      int groups, int multiprocessors) {
    constexpr long least_tiles = 4;
    const bool large = outputs > 64 && columns > 64;
    const WeightGradientSpec spec = weight_gradient_spec(precision, large ? 0 : 1, 1, 1);
    const long blocks = blocks_of(outputs, spec.tile_outputs) * blocks_of(columns, spec.tile_columns) * groups;
    const long slots = static_cast<long>(multiprocessors) * blocks_at_once;
    const long tiles = blocks_of(pixels, spec.depth_bytes / number_bytes(precision));
    const long splits = std::max(1L, std::min(slots / blocks, tiles / least_tiles));
    return {large ? 0 : 1, static_cast<int>(splits)};
}

/// Floats that the splits of any weight gradient take, if the largest has `largest` (taps and padded channels times
/// outputs). Several splits make no more blocks than run at once.
constexpr long weight_gradient_floats(Precision precision, long largest, int multiprocessors) {
    const WeightGradientSpec spec = weight_gradient_spec(precision, 0, 1, 1);
    return std::max(largest,
                    static_cast<long>(spec.tile_outputs) * spec.tile_columns * multiprocessors * blocks_at_once);
}

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
};

inline namespace TENON_ISA_NAMESPACE {

/// The kernel. Blocks: x counts tiles of columns, y tiles of a group's outputs, z groups and splits of the depth.
///
/// Law: each sum is made in an order that depends on the shapes and the number of splits alone
/// (test: tests/cuda/training_test.cpp).
template <WeightGradientSpec Spec>
struct WeightGradientKernel {
    static constexpr const char* name = "weight_gradient";
    using NumberType = Number<Spec.precision>;
    using Arguments = WeightGradientArguments;

    static constexpr bool tensor_cores = Spec.tensor_cores();
    static constexpr int threads = Spec.warps() * 32;
    static constexpr int number_size = static_cast<int>(sizeof(NumberType));
    static constexpr int depth = Spec.depth_bytes / number_size;  // pixels of a tile
    // 8 numbers more in a row: what a warp reads at once then lies in different banks.
    static constexpr int padding = 8;
    static constexpr int source_vectors = Spec.tile_columns / Spec.vector;
    static constexpr int source_rows = threads / source_vectors;  // loaded at once
    static constexpr int gradient_vectors = Spec.tile_outputs / Spec.output_vector;
    static constexpr int gradient_rows = threads / gradient_vectors;
    static_assert(depth % source_rows == 0 && depth % gradient_rows == 0);

    // Without tensor cores each of 16 x 16 threads computes neighbouring outputs and columns.
    static constexpr int thread_outputs = Spec.tile_outputs / 16, thread_columns = Spec.tile_columns / 16;
    static constexpr int mma_rows = tensor_cores ? Spec.warp_outputs / 16 : 1;
    static constexpr int mma_columns = tensor_cores ? Spec.warp_columns / 8 : 2;
    static constexpr int warps_across = tensor_cores ? Spec.tile_columns / Spec.warp_columns : 1;
    static constexpr int sums = tensor_cores ? mma_rows * mma_columns * 4 : thread_outputs * thread_columns;

    struct Stage {
        NumberType gradient[depth][Spec.tile_outputs + padding];
        NumberType source[depth][Spec.tile_columns + padding];
    };
    struct alignas(128) Shared {
        Stage stages[Spec.stages];
    };

    /// A thread's place in both operands and its sums.
    struct Registers {
        int source_pixel, y, x;  // the next pixel whose window is loaded
        long image;              // where its image begins
        int gradient_pixel;      // the next one whose gradient is loaded
        int row, column;         // of the window: offsets of the thread's tap; a row of -0x10000: there is none
        int channel;
        float sum[sums / 4][4];
        std::uint32_t a[mma_rows][4], b[mma_columns / 2][4];  // of the tensor cores
    };

    template <class Block>
    TENON_DEVICE static void run(Block& block, const Arguments& arguments) {
        const Grid index = block.index();
        const int group = index.z / arguments.splits, split = index.z % arguments.splits;
        const int first_column = index.x * Spec.tile_columns, first_output = index.y * Spec.tile_outputs;
        const int all = (arguments.pixels + depth - 1) / depth;
        const int begin = static_cast<int>(static_cast<long>(all) * split / arguments.splits);
        const int end = static_cast<int>(static_cast<long>(all) * (split + 1) / arguments.splits);
        auto& stages = block.shared().stages;

        block.threads([&](int thread, Registers& registers) {
            TENON_CUDA_UNROLL
            for (int i = 0; i < sums; ++i) registers.sum[i / 4][i % 4] = 0;
            start(arguments, thread, registers, begin * depth, group, first_column);
            TENON_CUDA_UNROLL
            for (int i = 0; i < Spec.stages - 1; ++i) {
                if (begin + i < end) load(block, arguments, thread, registers, stages[i], group, first_output);
                block.commit(thread);
            }
            block.template wait<Spec.stages - 2>(thread);
        });
        int computed = 0, loaded = Spec.stages - 1;
        for (int at = begin; at < end; ++at) {
            block.warps([&](auto& warp) {
                warp.lanes([&](int thread, Registers& registers) {
                    if (at + Spec.stages - 1 < end)
                        load(block, arguments, thread, registers, stages[loaded], group, first_output);
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
        block.threads([&](int thread, Registers& registers) {
            block.template wait<0>(thread);
            store(arguments, thread, registers, split, group, first_output, first_column);
        });
    }

    static Grid grid(const Arguments& arguments) {
        return {static_cast<int>(blocks_of(arguments.columns, Spec.tile_columns)),
                static_cast<int>(blocks_of(arguments.group_outputs, Spec.tile_outputs)),
                arguments.groups * arguments.splits};
    }

private:
    TENON_DEVICE static void start(const Arguments& arguments, int thread, Registers& registers, int first_pixel,
                                   int group, int first_column) {
        const int column = first_column + thread % source_vectors * Spec.vector;
        const int tap = column / arguments.group_channels, ky = tap / arguments.kernel_width;
        registers.channel = group * arguments.group_channels + column - tap * arguments.group_channels;
        registers.row = column < arguments.columns ? ky - arguments.top : -0x10000;
        registers.column = tap - ky * arguments.kernel_width - arguments.left;
        const int map = arguments.result_height * arguments.result_width;
        registers.source_pixel = first_pixel + thread / source_vectors;
        const int image = registers.source_pixel / map, inside = registers.source_pixel - image * map;
        registers.image = static_cast<long>(image) * arguments.height * arguments.width * arguments.channels;
        registers.y = inside / arguments.result_width;
        registers.x = inside - registers.y * arguments.result_width;
        registers.gradient_pixel = first_pixel + thread / gradient_vectors;
    }

    /// Begins to load the next tile of the depth and moves on by one. Pixels beyond the last are zeros.
    template <class Block>
    TENON_DEVICE static void load(Block& block, const Arguments& arguments, int thread, Registers& registers,
                                  Stage& stage, int group, int first_output) {
        const auto* source = static_cast<const NumberType*>(arguments.source);
        const auto* gradient = static_cast<const NumberType*>(arguments.gradient);
        const int outputs = arguments.groups * arguments.group_outputs;
        TENON_CUDA_UNROLL
        for (int i = 0; i < depth / source_rows; ++i) {
            const int y = registers.y * arguments.stride_height + registers.row;
            const int x = registers.x * arguments.stride_width + registers.column;
            const bool valid = registers.source_pixel < arguments.pixels && y >= 0 && y < arguments.height && x >= 0 &&
                               x < arguments.width;
            const long at =
                registers.image + static_cast<long>(y * arguments.width + x) * arguments.channels + registers.channel;
            copy<Spec.vector>(
                block, thread,
                &stage.source[thread / source_vectors + i * source_rows][thread % source_vectors * Spec.vector],
                valid ? source + at : source, valid);
            advance(arguments, registers);
        }
        const int output = first_output + thread % gradient_vectors * Spec.output_vector;
        TENON_CUDA_UNROLL
        for (int i = 0; i < depth / gradient_rows; ++i) {
            const bool valid = registers.gradient_pixel < arguments.pixels && output < arguments.group_outputs;
            const long at = static_cast<long>(registers.gradient_pixel) * outputs +
                            static_cast<long>(group) * arguments.group_outputs + output;
            copy<Spec.output_vector>(block, thread,
                                     &stage.gradient[thread / gradient_vectors + i * gradient_rows]
                                                    [thread % gradient_vectors * Spec.output_vector],
                                     valid ? gradient + at : gradient, valid);
            registers.gradient_pixel += gradient_rows;
        }
    }

    TENON_DEVICE static void advance(const Arguments& arguments, Registers& registers) {
        registers.source_pixel += source_rows;
        registers.x += source_rows;
        while (registers.x >= arguments.result_width) {
            registers.x -= arguments.result_width;
            if (++registers.y == arguments.result_height) {
                registers.y = 0;
                registers.image += static_cast<long>(arguments.height) * arguments.width * arguments.channels;
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

    /// Products of a tile without tensor cores.
    TENON_DEVICE static void multiply(int thread, Registers& registers, const Stage& stage) {
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
    static_assert(tensor_cores || (thread_columns == 4 && thread_outputs % 4 == 0));

    struct Fragments {
        float (&sums)[4];
        std::uint32_t (&a)[4];
        std::uint32_t b0, b1;
    };

    template <class Warp>
    TENON_DEVICE static void multiply_by_tensor_cores(Warp& warp, const Stage& stage) {
        const int first_row = warp.index() / warps_across * Spec.warp_outputs;
        const int first_column = warp.index() % warps_across * Spec.warp_columns;
        TENON_CUDA_UNROLL
        for (int k = 0; k < depth; k += 32 / number_size) {
            if constexpr (number_size == 2)
                load_fragments(warp, stage, k, first_row, first_column);
            else
                warp.lanes([&](int thread, Registers& registers) {
                    load_tensor_floats(thread % 32, registers, stage, k, first_row, first_column);
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

    /// 16 pixels of both operands, turned so that neighbouring pixels share a word.
    template <class Warp>
    TENON_DEVICE static void load_fragments(Warp& warp, const Stage& stage, int k, int first_row, int first_column) {
        TENON_CUDA_UNROLL
        for (int i = 0; i < mma_rows; ++i)
            warp.load_transposed_matrices(
                [&](int thread) {
                    const int pixel = k + thread % 8 + thread % 32 / 16 * 8;
                    return static_cast<const void*>(&stage.gradient[pixel][first_row + i * 16 + thread % 16 / 8 * 8]);
                },
                [&](Registers& registers) -> std::uint32_t(&)[4] { return registers.a[i]; });
        TENON_CUDA_UNROLL
        for (int j = 0; j < mma_columns; j += 2)
            warp.load_transposed_matrices(
                [&](int thread) {
                    const int pixel = k + thread % 16;
                    return static_cast<const void*>(&stage.source[pixel][first_column + j * 8 + thread % 32 / 16 * 8]);
                },
                [&](Registers& registers) -> std::uint32_t(&)[4] { return registers.b[j / 2]; });
    }

    /// 8 pixels of both operands: words of 32 bits can't be turned by ldmatrix, so each lane reads its own.
    TENON_DEVICE static void load_tensor_floats(int lane, Registers& registers, const Stage& stage, int k,
                                                int first_row, int first_column) {
        TENON_CUDA_UNROLL
        for (int i = 0; i < mma_rows; ++i) {
            TENON_CUDA_UNROLL
            for (int l = 0; l < 4; ++l)
                registers.a[i][l] = round_to_tensor_float(bits_of(
                    to_float(stage.gradient[k + lane % 4 + l / 2 * 4][first_row + i * 16 + lane / 4 + l % 2 * 8])));
        }
        TENON_CUDA_UNROLL
        for (int j = 0; j < mma_columns / 2; ++j) {
            TENON_CUDA_UNROLL
            for (int l = 0; l < 4; ++l)
                registers.b[j][l] = round_to_tensor_float(bits_of(
                    to_float(stage.source[k + lane % 4 + l % 2 * 4][first_column + (2 * j + l / 2) * 8 + lane / 4])));
        }
    }

    /// Stores a thread's sums.
    TENON_DEVICE static void store(const Arguments& arguments, int thread, Registers& registers, int split, int group,
                                   int first_output, int first_column) {
        const auto put = [&](int output, int column, float value) {
            if (output >= arguments.group_outputs || column >= arguments.columns) return;
            const long row = (static_cast<long>(split) * arguments.groups + group) * arguments.group_outputs + output;
            arguments.partials[row * arguments.columns + column] = value;
        };
        if constexpr (tensor_cores) {
            const int warp = thread / 32, lane = thread % 32;
            const int row = first_output + warp / warps_across * Spec.warp_outputs + lane / 4;
            const int column = first_column + warp % warps_across * Spec.warp_columns + lane % 4 * 2;
            TENON_CUDA_UNROLL
            for (int i = 0; i < mma_rows; ++i) {
                TENON_CUDA_UNROLL
                for (int j = 0; j < mma_columns; ++j) {
                    TENON_CUDA_UNROLL
                    for (int l = 0; l < 4; ++l)
                        put(row + i * 16 + l / 2 * 8, column + j * 8 + l % 2, registers.sum[i * mma_columns + j][l]);
                }
            }
        } else {
            const int row = first_output + thread / 16 * thread_outputs;
            const int column = first_column + thread % 16 * thread_columns;
            TENON_CUDA_UNROLL
            for (int i = 0; i < thread_outputs; ++i) {
                TENON_CUDA_UNROLL
                for (int j = 0; j < thread_columns; ++j) put(row + i, column + j, registers.sum[i][j]);
            }
        }
    }
};

/// Adds up the splits of a weight gradient in their order and stores the sums in the order of the parameter: output,
/// channel, tap. Channels that a source is padded with have no weights.
struct SumWeightGradientBody {
    static constexpr const char* name = "sum_weight_gradient";
    long count = 0;  ///< outputs * columns
    const float* partials = nullptr;
    float* gradient = nullptr;
    int splits = 1;
    int columns = 0, group_channels = 0, inputs = 0;  ///< inputs: channels of a group without padding
    float factor = 1;

    TENON_DEVICE void operator()(long index) const {
        const int column = static_cast<int>(index % columns), tap = column / group_channels;
        const int channel = column - tap * group_channels;
        if (channel >= inputs) return;
        float sum = 0;
        for (int split = 0; split < splits; ++split) sum += partials[split * count + index];
        const int taps = columns / group_channels;
        gradient[(index / columns * inputs + channel) * taps + tap] = sum * factor;
    }
};

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::cuda
