#pragma once
// IWYU pragma: private, include <tenon/cuda.hpp>

// Sums over all pixels of a batch, channel by channel, in two stages: each block sums up a chunk of the pixels, then
// the chunks are added in order.

#include <algorithm>

#include <tenon/backend/cuda/kernels/map.hpp>
#include <tenon/core/index.hpp>

namespace tenon::cuda {

/// How the pixels of a batch are cut into chunks, and a block's threads into packs of channels and rows of pixels.
/// Depends on the sizes alone.
struct ChannelChunks {
    static constexpr int threads = 256, max_chunks = 512, max_columns = 32;

    long pixels = 0;  ///< over all images
    int channels = 0;
    int columns = 1;  ///< packs of channels in a block
    int chunks = 1;

    ChannelChunks() = default;
    ChannelChunks(long all_pixels, int all_channels, int pack) : pixels{all_pixels}, channels{all_channels} {
        while (columns < max_columns && columns * pack < channels) columns *= 2;
        constexpr long min_pixels = 4;  // per thread
        chunks = static_cast<int>(std::clamp(pixels * columns / (threads * min_pixels), 1L, long{max_chunks}));
    }

    TENON_HOST_DEVICE int rows() const { return threads / columns; }
    /// pixels * chunk / chunks, rounded down; what depends on the chunk is a division of 32 bits.
    TENON_HOST_DEVICE long begin(int chunk) const {
        const long whole = pixels / chunks;
        return whole * chunk + static_cast<int>(pixels - whole * chunks) * chunk / chunks;
    }
    Grid grid(int pack) const { return {static_cast<int>(blocks_of(channels, columns * pack)), chunks, 1}; }
};

/// Floats of scratch memory for two sums over maps of at most `channels` channels.
constexpr long channel_partials(long channels) { return 2 * ChannelChunks::max_chunks * channels; }

inline namespace TENON_ISA_NAMESPACE {

/// The memory in which a block's threads sum up: [row][channel of the block].
template <int Pack>
struct ChannelShared {
    float first[ChannelChunks::threads * Pack], second[ChannelChunks::threads * Pack];
};

/// The sum of a column over the rows of a block, in order.
TENON_DEVICE float sum_rows(const float* values, int width, int rows) {
    float sum = 0;
    for (int row = 0; row < rows; ++row) sum += values[row * width];
    return sum;
}

/// The arguments of ChannelSumsKernel: a body that loads what a pixel has in `Pack` channels, and adds that to two
/// sums.
template <class Body>
struct ChannelSumsArguments {
    ChannelChunks chunks{};
    float* partials = nullptr;  ///< [chunk][2][channel]
    Body body{};
};

/// First stage: the sums over all pixels of a chunk, in order; of several pixels a thread loads everything before it
/// adds the first.
template <class Body, int Pack>
struct ChannelSumsKernel {
    static constexpr const char* name = Body::name;
    static constexpr int threads = ChannelChunks::threads, at_once = 4;
    static constexpr int min_blocks = 4;  // as many as have room without spilled registers
    using Arguments = ChannelSumsArguments<Body>;
    using Loaded = typename Body::template Loaded<Pack>;
    using Registers = Nothing;
    using Shared = ChannelShared<Pack>;

    template <class Block>
    TENON_DEVICE static void run(Block& block, const Arguments& arguments) {
        const Grid index = block.index();
        const ChannelChunks& chunks = arguments.chunks;
        const int width = chunks.columns * Pack, first_channel = index.x * width;
        Shared& shared = block.shared();
        block.threads([&](int thread, Registers&) {
            const int column = thread % chunks.columns * Pack, row = thread / chunks.columns;
            float first[Pack]{}, second[Pack]{};
            const int channel = first_channel + column;
            const long end = chunks.begin(index.y + 1);
            if (channel < chunks.channels) {
                long pixel = chunks.begin(index.y) + row;
                // Without branches, so that nothing waits for a load before all are on their way.
                for (; pixel + (at_once - 1) * chunks.rows() < end; pixel += at_once * chunks.rows()) {
                    Loaded loaded[at_once];
                    TENON_CUDA_UNROLL
                    for (int i = 0; i < at_once; ++i)
                        arguments.body.load(pixel + i * chunks.rows(), channel, loaded[i]);
                    TENON_CUDA_UNROLL
                    for (int i = 0; i < at_once; ++i) arguments.body.add(loaded[i], channel, first, second);
                }
                for (; pixel < end; pixel += chunks.rows()) {
                    Loaded loaded;
                    arguments.body.load(pixel, channel, loaded);
                    arguments.body.add(loaded, channel, first, second);
                }
            }
            TENON_CUDA_UNROLL
            for (int i = 0; i < Pack; ++i) {
                shared.first[row * width + column + i] = first[i];
                shared.second[row * width + column + i] = second[i];
            }
        });
        block.threads([&](int thread, Registers&) {
            if (thread >= width || first_channel + thread >= chunks.channels) return;
            float* to = arguments.partials + 2L * index.y * chunks.channels + first_channel + thread;
            to[0] = sum_rows(shared.first + thread, width, chunks.rows());
            to[chunks.channels] = sum_rows(shared.second + thread, width, chunks.rows());
        });
    }
};

/// The arguments of the second stage; `epilogue` takes its results.
template <class Epilogue>
struct MergeArguments {
    ChannelChunks chunks{};
    const float* partials = nullptr;
    Epilogue epilogue{};
};

/// Second stage: adds the chunks in double and calls epilogue(channel, first sum, second sum).
template <class Epilogue>
struct MergeSumsKernel {
    static constexpr const char* name = Epilogue::name;
    static constexpr int threads = 256, channels = 32, rows = threads / channels;
    using Arguments = MergeArguments<Epilogue>;
    using Registers = Nothing;
    struct Shared {
        double first[rows][channels], second[rows][channels];
    };

    template <class Block>
    TENON_DEVICE static void run(Block& block, const Arguments& arguments) {
        const ChannelChunks& chunks = arguments.chunks;
        const int first_channel = block.index().x * channels;
        Shared& shared = block.shared();
        block.threads([&](int thread, Registers&) {
            const int channel = first_channel + thread % channels, row = thread / channels;
            double first = 0, second = 0;
            if (channel < chunks.channels)
                for (int chunk = chunks.chunks * row / rows; chunk < chunks.chunks * (row + 1) / rows; ++chunk) {
                    const float* from = arguments.partials + 2L * chunk * chunks.channels + channel;
                    first += double{from[0]};
                    second += double{from[chunks.channels]};
                }
            shared.first[row][thread % channels] = first;
            shared.second[row][thread % channels] = second;
        });
        block.threads([&](int thread, Registers&) {
            if (thread >= channels || first_channel + thread >= chunks.channels) return;
            double first = 0, second = 0;
            for (int row = 0; row < rows; ++row) {
                first += shared.first[row][thread];
                second += shared.second[row][thread];
            }
            arguments.epilogue(first_channel + thread, first, second);
        });
    }

    static Grid grid(const Arguments& arguments) {
        return {static_cast<int>(blocks_of(arguments.chunks.channels, channels)), 1, 1};
    }
};

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::cuda
