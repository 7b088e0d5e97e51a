#pragma once
// IWYU pragma: private, include <tenon/training.hpp>

// Batch norm in training: statistics of the batch, and normalization, fused with the ReLU after it.

#include <algorithm>
#include <cmath>

#include <tenon/backend/cpu/layout/training_step.hpp>
#include <tenon/backend/cpu/simd/vector.hpp>

namespace tenon::cpu {
inline namespace TENON_ISA_NAMESPACE {

/// A norm's parameters; gamma and beta are null if it has none.
struct NormParameters {
    const float *gamma, *beta;
    float *running_mean, *running_variance;

    NormParameters(const TrainingStep& step, const TrainingFrame& frame)
        : gamma{frame.parameter(step.layer, ParameterRole::gamma)},
          beta{frame.parameter(step.layer, ParameterRole::beta)},
          running_mean{frame.parameter(step.layer, ParameterRole::running_mean)},
          running_variance{frame.parameter(step.layer, ParameterRole::running_variance)} {}
};

/// Derives scale and shift of one channel.
inline void set_affine(const TrainingStep& step, const TrainingFrame& frame, const NormParameters& norm, int channel,
                       double mean, double variance) {
    const NormNumbers numbers{step, frame, channel};
    const double inverse = 1 / std::sqrt(variance + frame.layer(step.layer).epsilon);
    const double gamma = norm.gamma ? double{norm.gamma[channel]} : 1.0;
    const double beta = norm.beta ? double{norm.beta[channel]} : 0.0;
    *numbers.mean = static_cast<float>(mean);
    *numbers.inverse = static_cast<float>(inverse);
    *numbers.scale = static_cast<float>(gamma * inverse);
    *numbers.shift = static_cast<float>(beta - mean * gamma * inverse);
}

/// Partial sum `which` (0 or 1) of one channel of an image.
inline double partial(const TrainingFrame& frame, const Tensor& tensor, int image, int channel, int which) {
    return double{frame.partials[(long{image} * tensor.planes() + channel / channel_block) * 2 * channel_block +
                                 which * channel_block + channel % channel_block]};
}

/// Mean of each channel of a plane of one image, and its sum of squared distances from that mean, in two passes over
/// the pixels. Stored as partials of the image.
inline void plane_statistics(const TrainingFrame& frame, const Tensor& x, int image, int plane) {
    const float share_of_pixel = 1.0f / static_cast<float>(x.pixels());
    float means[channel_block];
    for (int lane = 0; lane < channel_block; lane += vector_width) {
        Vector sum = zero();
        for (int y = 0; y < x.height; ++y) {
            const float* row = frame.at(x, image, plane, y, 0) + lane;
            Vector of_row = zero();
            for (int i = 0; i < x.width; ++i) of_row = add(of_row, load(row + i * channel_block));
            sum = add(sum, of_row);
        }
        alignas(64) float sums[vector_width];
        store(sums, sum);
        for (int i = 0; i < vector_width; ++i) means[lane + i] = sums[i] * share_of_pixel;
    }
    float* partial = frame.partials + (long{image} * x.planes() + plane) * 2 * channel_block;
    for (int lane = 0; lane < channel_block; lane += vector_width) {
        alignas(64) float center[vector_width];
        std::copy_n(means + lane, vector_width, center);
        const Vector mean = load(center);
        Vector sum = zero();
        for (int y = 0; y < x.height; ++y) {
            const float* row = frame.at(x, image, plane, y, 0) + lane;
            Vector of_row = zero();
            for (int i = 0; i < x.width; ++i) {
                const Vector off = subtract(load(row + i * channel_block), mean);
                of_row = multiply_add(off, off, of_row);
            }
            sum = add(sum, of_row);
        }
        store(partial + lane, mean);
        store(partial + channel_block + lane, sum);
    }
}

/// Statistics of one channel over some pixels. Merging them is that of Chan, Golub and LeVeque 1979.
struct ChannelStatistics {
    double mean = 0, squares = 0, count = 0;  ///< squares: the sum of squared distances from the mean

    void merge(double other_mean, double other_squares, double other_count) {
        const double difference = other_mean - mean, total = count + other_count;
        mean += difference * other_count / total;
        squares += other_squares + difference * difference * count * other_count / total;
        count = total;
    }
};

/// The statistics of one channel over the images of a frame, in order.
inline ChannelStatistics merged_statistics(const TrainingFrame& frame, const Tensor& x, int channel) {
    ChannelStatistics all;
    for (int image = 0; image < frame.frame.images; ++image)
        all.merge(partial(frame, x, image, channel, 0), partial(frame, x, image, channel, 1), x.pixels());
    return all;
}

/// Derives what normalizes one channel from the statistics of a batch, and updates its running statistics.
inline void set_statistics(const TrainingStep& step, const TrainingFrame& frame, const NormParameters& norm,
                           int channel, const ChannelStatistics& all) {
    const double momentum = frame.layer(step.layer).momentum;
    set_affine(step, frame, norm, channel, all.mean, all.squares / all.count);
    float &running_mean = norm.running_mean[channel], &running_variance = norm.running_variance[channel];
    running_mean = static_cast<float>((1 - momentum) * double{running_mean} + momentum * all.mean);
    running_variance =
        static_cast<float>((1 - momentum) * double{running_variance} + momentum * all.squares / (all.count - 1));
}

/// Mean and variance over the batch: of each image in two passes, then merged in the order of the images, so that
/// nothing cancels and nothing depends on the threads. Updates the running statistics.
inline void run_statistics(const TrainingStep& step, const TrainingFrame& frame) {
    const Tensor& x = step.source();
    for_each_target_plane(frame, x, [&](int image, int plane) { plane_statistics(frame, x, image, plane); });
    const NormParameters norm{step, frame};
    for_each_block(frame, x, [&](int, int first, int channels) {
        for (int c = first; c < first + channels; ++c)
            set_statistics(step, frame, norm, c, merged_statistics(frame, x, c));
    });
}

/// Derives scale and shift of a frozen norm from its running statistics.
inline void set_frozen_norm(const TrainingStep& step, const TrainingFrame& frame) {
    if (!step.frozen) return;
    const NormParameters norm{step, frame};
    for_each_block(frame, step.source(), [&](int, int first, int channels) {
        for (int c = first; c < first + channels; ++c)
            set_affine(step, frame, norm, c, double{norm.running_mean[c]}, double{norm.running_variance[c]});
    });
}

/// x * scale + shift, then ReLU if it is fused; a frozen norm uses its running statistics.
inline void run_norm(const TrainingStep& step, const TrainingFrame& frame) {
    const Tensor &x = step.source(), &target = step.target();
    set_frozen_norm(step, frame);
    for_each_target_plane(frame, target, [&](int image, int plane) {
        const NormNumbers numbers{step, frame, plane * channel_block};
        for (int lane = 0; lane < channel_block; lane += vector_width) {
            const Vector scale = load(numbers.scale + lane), shift = load(numbers.shift + lane);
            for (int y = 0; y < x.height; ++y) {
                const float* from = frame.at(x, image, plane, y, 0) + lane;
                float* to = frame.at(target, image, plane, y, 0) + lane;
                for (int i = 0; i < x.width; ++i) {
                    const Vector value = multiply_add(load(from + i * channel_block), scale, shift);
                    store(to + i * channel_block, step.step.relu ? relu(value) : value);
                }
            }
        }
    });
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::cpu
