#pragma once
// IWYU pragma: private, include <tenon/cuda.hpp>

// Batch norm in training: statistics of the batch; normalization itself is the epilogue of a map.

#include <tenon/backend/cuda/training/channel_sums.hpp>
#include <tenon/core/index.hpp>

namespace tenon::cuda {

/// The numbers of a batch norm on the device: gamma and beta (null: one and zero), running statistics, and what is
/// derived from the batch. normalized = (x - mean) * inverse, result = x * scale + shift.
struct NormNumbers {
    static constexpr int count = 6;  ///< arrays of derived numbers, each of as many floats as there are channels

    const float *gamma = nullptr, *beta = nullptr;
    float *running_mean = nullptr, *running_variance = nullptr;
    float* derived = nullptr;
    int channels = 0;
    double epsilon = 0, momentum = 0;

    TENON_HOST_DEVICE float* array(int index) const { return derived + long{index} * channels; }
    TENON_HOST_DEVICE float* mean() const { return array(0); }
    TENON_HOST_DEVICE float* inverse() const { return array(1); }
    TENON_HOST_DEVICE float* scale() const { return array(2); }  ///< followed by the shifts, as the epilogue reads them
    TENON_HOST_DEVICE float* shift() const { return array(3); }
    TENON_HOST_DEVICE float* mean_gradient() const { return array(4); }
    TENON_HOST_DEVICE float* mean_product() const { return array(5); }
};

inline namespace TENON_ISA_NAMESPACE {

/// Derives a channel's numbers from mean and variance.
TENON_DEVICE void derive(const NormNumbers& numbers, int channel, double mean, double variance) {
    const double inverse = 1 / ::sqrt(variance + numbers.epsilon);
    const double gamma = numbers.gamma ? double{numbers.gamma[channel]} : 1.0;
    const double beta = numbers.beta ? double{numbers.beta[channel]} : 0.0;
    numbers.mean()[channel] = static_cast<float>(mean);
    numbers.inverse()[channel] = static_cast<float>(inverse);
    numbers.scale()[channel] = static_cast<float>(gamma * inverse);
    numbers.shift()[channel] = static_cast<float>(beta - mean * gamma * inverse);
}

/// The numbers of a frozen norm, from its running statistics, channel by channel.
struct FrozenNormBody {
    static constexpr const char* name = "frozen_norm";
    long count = 0;
    NormNumbers numbers{};

    TENON_DEVICE void operator()(long index) const {
        const int channel = static_cast<int>(index);
        derive(numbers, channel, double{numbers.running_mean[channel]}, double{numbers.running_variance[channel]});
    }
};

/// Mean of a chunk, and sum of squared distances from it; nothing cancels, as the second pass subtracts the mean.
template <class NumberType>
struct StatisticsArguments {
    ChannelChunks chunks{};
    float* partials = nullptr;  ///< [chunk][2][channel]
    const NumberType* source = nullptr;
};

/// First stage of a batch norm's statistics: each block computes those of a chunk, in two passes.
template <class NumberType, int Pack>
struct StatisticsKernel {
    static constexpr const char* name = "statistics";
    static constexpr int threads = ChannelChunks::threads;
    static constexpr int at_once = 4;  // pixels that a thread loads before it adds the first
    using Arguments = StatisticsArguments<NumberType>;
    using Registers = Nothing;
    using Shared = ChannelShared<Pack>;

    template <class Block>
    TENON_DEVICE static void run(Block& block, const Arguments& arguments) {
        const Grid index = block.index();
        const ChannelChunks& chunks = arguments.chunks;
        const int width = chunks.columns * Pack, first_channel = index.x * width;
        const long begin = chunks.begin(index.y), end = chunks.begin(index.y + 1);
        Shared& shared = block.shared();
        const auto add_up = [&](float* sums, const float* means, int thread) {
            const int column = thread % chunks.columns * Pack, row = thread / chunks.columns;
            float sum[Pack]{}, centre[Pack]{};
            if (means) load_floats<Pack>(means + column, centre);
            const auto load = [&](long pixel, float(&values)[Pack]) {
                load_floats<Pack>(arguments.source + pixel * chunks.channels + first_channel + column, values);
            };
            const auto add = [&](const float(&values)[Pack]) {
                TENON_CUDA_UNROLL
                for (int i = 0; i < Pack; ++i) {
                    const float off = values[i] - centre[i];
                    sum[i] += means ? off * off : off;
                }
            };
            if (first_channel + column < chunks.channels) {
                long pixel = begin + row;
                // Without branches, so that nothing waits for a load before all are on their way.
                for (; pixel + (at_once - 1) * chunks.rows() < end; pixel += at_once * chunks.rows()) {
                    float values[at_once][Pack];
                    TENON_CUDA_UNROLL
                    for (int j = 0; j < at_once; ++j) load(pixel + j * chunks.rows(), values[j]);
                    TENON_CUDA_UNROLL
                    for (int j = 0; j < at_once; ++j) add(values[j]);
                }
                for (; pixel < end; pixel += chunks.rows()) {
                    float values[Pack];
                    load(pixel, values);
                    add(values);
                }
            }
            TENON_CUDA_UNROLL
            for (int i = 0; i < Pack; ++i) sums[row * width + column + i] = sum[i];
        };
        float* to = arguments.partials + 2L * index.y * chunks.channels + first_channel;
        block.threads([&](int thread, Registers&) { add_up(shared.first, nullptr, thread); });
        block.threads([&](int thread, Registers&) {
            if (thread >= width) return;
            const float mean = sum_rows(shared.first + thread, width, chunks.rows()) / static_cast<float>(end - begin);
            shared.first[thread] = mean;
            if (first_channel + thread < chunks.channels) to[thread] = mean;
        });
        block.threads([&](int thread, Registers&) { add_up(shared.second, shared.first, thread); });
        block.threads([&](int thread, Registers&) {
            if (thread < width && first_channel + thread < chunks.channels)
                to[chunks.channels + thread] = sum_rows(shared.second + thread, width, chunks.rows());
        });
    }
};

/// Merges the statistics of the chunks: each row of threads adds up a share, then the rows are added in order. With the
/// distances d of the chunks' means from the first one's mean, and their counts n, the squared distances from the
/// common mean are the chunks' own + sum(n d^2) - sum(n d)^2 / sum(n); in double, as d is no larger than the values'
/// spread, nothing is lost. Updates the running statistics, with the unbiased variance, as torch does.
struct MergeStatisticsKernel {
    static constexpr const char* name = "merge_statistics";
    static constexpr int threads = 256, channels = 32, rows = threads / channels;
    using Arguments = MergeArguments<NormNumbers>;
    using Registers = Nothing;

    /// Sums over chunks: counts, n d, and own squares + n d^2.
    struct Moments {
        double count, distances, squares;

        TENON_DEVICE void add(const Moments& other) {
            count += other.count;
            distances += other.distances;
            squares += other.squares;
        }
    };
    struct Shared {
        Moments moments[rows][channels];
    };

    template <class Block>
    TENON_DEVICE static void run(Block& block, const Arguments& arguments) {
        const ChannelChunks& chunks = arguments.chunks;
        const int first_channel = block.index().x * channels;
        Shared& shared = block.shared();
        block.threads([&](int thread, Registers&) {
            const int channel = first_channel + thread % channels, row = thread / channels;
            Moments sum{0, 0, 0};
            if (channel < chunks.channels) {
                const double pivot = double{arguments.partials[channel]};
                const int first = chunks.chunks * row / rows, last = chunks.chunks * (row + 1) / rows;
                long begin = chunks.begin(first);
                for (int chunk = first; chunk < last; ++chunk) {
                    const float* from = arguments.partials + 2L * chunk * chunks.channels + channel;
                    const long end = chunks.begin(chunk + 1);
                    const double count = static_cast<double>(end - begin);
                    const double distance = double{from[0]} - pivot;
                    sum.add({count, count * distance, double{from[chunks.channels]} + count * distance * distance});
                    begin = end;
                }
            }
            shared.moments[row][thread % channels] = sum;
        });
        block.threads([&](int thread, Registers&) {
            const int channel = first_channel + thread;
            if (thread >= channels || channel >= chunks.channels) return;
            Moments sum{0, 0, 0};
            for (int row = 0; row < rows; ++row) sum.add(shared.moments[row][thread]);
            const double offset = sum.distances / sum.count;
            const double mean = double{arguments.partials[channel]} + offset;
            const double squares = sum.squares - sum.distances * offset;
            const NormNumbers& numbers = arguments.epilogue;
            derive(numbers, channel, mean, squares / sum.count);
            const double momentum = numbers.momentum;
            float &running_mean = numbers.running_mean[channel], &running_variance = numbers.running_variance[channel];
            running_mean = static_cast<float>((1 - momentum) * double{running_mean} + momentum * mean);
            running_variance =
                static_cast<float>((1 - momentum) * double{running_variance} + momentum * (squares / (sum.count - 1)));
        });
    }

    static Grid grid(const Arguments& arguments) {
        return {static_cast<int>(blocks_of(arguments.chunks.channels, channels)), 1, 1};
    }
};

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::cuda
