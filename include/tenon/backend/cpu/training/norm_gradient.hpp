#pragma once
// IWYU pragma: private, include <tenon/training.hpp>

// The gradients of a batch norm, fused with the ReLU after it: of its parameters and of what it reads.

#include <tenon/backend/cpu/layout/training_step.hpp>
#include <tenon/backend/cpu/simd/mask.hpp>
#include <tenon/backend/cpu/training/norm.hpp>

namespace tenon::cpu {
inline namespace TENON_ISA_NAMESPACE {

/// Two sums over the pixels of a plane. f(y, x, lane, first, second) adds a pixel's addends to both; each row is summed
/// separately first, which is more exact. The sums are stored as partials of the image.
template <class F>
TENON_INLINE void sum_plane(const TrainingFrame& frame, const Tensor& tensor, int image, int plane, const F& f) {
    float* partial = frame.partials + (long{image} * tensor.planes() + plane) * 2 * channel_block;
    for (int lane = 0; lane < channel_block; lane += vector_width) {
        Vector first = zero(), second = zero();
        for (int y = 0; y < tensor.height; ++y) {
            Vector a = zero(), b = zero();
            for (int x = 0; x < tensor.width; ++x) f(y, x, lane, a, b);
            first = add(first, a);
            second = add(second, b);
        }
        store(partial + lane, first);
        store(partial + channel_block + lane, second);
    }
}

/// The sums that the gradients of a norm need, of g and of g * normalized: of each plane, as partials of the images.
inline void sum_gradient_planes(const TrainingStep& step, const TrainingFrame& frame) {
    const Tensor &x = step.source(), &gradient = step.gradient;
    for_each_target_plane(frame, x, [&](int image, int plane) {
        const NormNumbers numbers{step, frame, plane * channel_block};
        sum_plane(frame, x, image, plane, [&](int y, int i, int lane, Vector& sum, Vector& product) {
            const Vector value = load(frame.at(x, image, plane, y, i) + lane);
            Vector g = load(frame.at(gradient, image, plane, y, i) + lane);
            if (step.step.relu)
                g = relu_gradient(g, multiply_add(value, load(numbers.scale + lane), load(numbers.shift + lane)));
            const Vector normalized =
                multiply(subtract(value, load(numbers.mean + lane)), load(numbers.inverse + lane));
            sum = add(sum, g);
            product = multiply_add(g, normalized, product);
        });
    });
}

/// The same sums of one channel, over some images.
struct NormGradientSums {
    double sum = 0, product = 0;
};

/// Adds up the partials of one channel over the images, and stores the gradients of gamma and beta.
inline NormGradientSums take_gradient_sums(const TrainingStep& step, const TrainingFrame& frame, int channel) {
    const Tensor& x = step.source();
    NormGradientSums sums;
    for (int image = 0; image < frame.frame.images; ++image) {
        sums.sum += partial(frame, x, image, channel, 0);
        sums.product += partial(frame, x, image, channel, 1);
    }
    if (float* const gamma = frame.gradient(step.layer, ParameterRole::gamma))
        gamma[channel] = static_cast<float>(sums.product);
    if (float* const beta = frame.gradient(step.layer, ParameterRole::beta))
        beta[channel] = static_cast<float>(sums.sum);
    return sums;
}

/// Stores the means of both sums over the `count` pixels of a batch.
inline void set_gradient_means(const TrainingStep& step, const TrainingFrame& frame, int channel,
                               const NormGradientSums& sums, double count) {
    const NormNumbers numbers{step, frame, channel};
    *numbers.mean_gradient = static_cast<float>(sums.sum / count);
    *numbers.mean_product = static_cast<float>(sums.product / count);
}

/// One plane of dx (see run_norm_gradient), from the means that are stored.
inline void norm_source_gradient(const TrainingStep& step, const TrainingFrame& frame, int image, int plane) {
    const Tensor &x = step.source(), &gradient = step.gradient, &target = step.target();
    const NormNumbers numbers{step, frame, plane * channel_block};
    for (int lane = 0; lane < channel_block; lane += vector_width) {
        const Vector scale = load(numbers.scale + lane), shift = load(numbers.shift + lane);
        const Vector mean = load(numbers.mean + lane), inverse = load(numbers.inverse + lane);
        const Vector mean_gradient = load(numbers.mean_gradient + lane);
        const Vector mean_product = load(numbers.mean_product + lane);
        for (int y = 0; y < x.height; ++y) {
            const float* values = frame.at(x, image, plane, y, 0) + lane;
            const float* gradients = frame.at(gradient, image, plane, y, 0) + lane;
            const float* sums = step.sum.exists() ? frame.at(step.sum, image, plane, y, 0) + lane : nullptr;
            float* to = frame.at(target, image, plane, y, 0) + lane;
            for (int i = 0; i < x.width; ++i) {
                const Vector value = load(values + i * channel_block);
                Vector g = load(gradients + i * channel_block);
                if (step.step.relu) g = relu_gradient(g, multiply_add(value, scale, shift));
                if (!step.frozen) {
                    const Vector normalized = multiply(subtract(value, mean), inverse);
                    g = subtract(subtract(g, mean_gradient), multiply(normalized, mean_product));
                }
                const Vector result = multiply(g, scale);
                store(to + i * channel_block, sums ? add(result, load(sums + i * channel_block)) : result);
            }
        }
    }
}

/// The gradient of x, from the means that are stored.
inline void run_norm_source_gradient(const TrainingStep& step, const TrainingFrame& frame) {
    if (!step.target().exists()) return;
    for_each_target_plane(frame, step.target(),
                          [&](int image, int plane) { norm_source_gradient(step, frame, image, plane); });
}

/// The gradients of gamma, beta and x: dx = scale * (g - mean(g) - normalized * mean(g * normalized)) + sum, where g is
/// the gradient of what the fused ReLU reads. A frozen norm scales by a constant.
inline void run_norm_gradient(const TrainingStep& step, const TrainingFrame& frame) {
    if (!step.frozen) {
        const Tensor& x = step.source();
        sum_gradient_planes(step, frame);
        const double count = static_cast<double>(x.pixels()) * frame.frame.images;
        for_each_block(frame, x, [&](int, int first, int channels) {
            for (int c = first; c < first + channels; ++c)
                set_gradient_means(step, frame, c, take_gradient_sums(step, frame, c), count);
        });
    }
    run_norm_source_gradient(step, frame);
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::cpu
