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

/// dx (see run_norm_gradient) in one vector of channels, from the means that are stored.
class NormSourceGradient {
public:
    NormSourceGradient(const TrainingStep& step, const TrainingFrame& frame, int plane, int lane)
        : step_{step}, frame_{frame}, plane_{plane}, lane_{lane} {
        const NormNumbers numbers{step, frame, plane * channel_block + lane};
        scale_ = load(numbers.scale);
        shift_ = load(numbers.shift);
        mean_ = load(numbers.mean);
        inverse_ = load(numbers.inverse);
        mean_gradient_ = load(numbers.mean_gradient);
        mean_product_ = load(numbers.mean_product);
    }

    /// A function from the pixels of a row to what they are.
    TENON_INLINE auto operator()(int image, int y) const {
        const auto row = [&](const Tensor& tensor) { return frame_.at(tensor, image, plane_, y, 0) + lane_; };
        const float *values = row(step_.source()), *gradients = row(step_.gradient),
                    *sums = step_.sum.exists() ? row(step_.sum) : nullptr;
        return [=, scale = scale_, shift = shift_, mean = mean_, inverse = inverse_, mean_gradient = mean_gradient_,
                mean_product = mean_product_, has_relu = step_.step.relu, frozen = step_.frozen](int x) {
            const Vector value = load(values + x * channel_block);
            Vector g = load(gradients + x * channel_block);
            if (has_relu) g = relu_gradient(g, multiply_add(value, scale, shift));
            if (!frozen) {
                const Vector normalized = multiply(subtract(value, mean), inverse);
                g = subtract(subtract(g, mean_gradient), multiply(normalized, mean_product));
            }
            const Vector result = multiply(g, scale);
            return sums ? add(result, load(sums + x * channel_block)) : result;
        };
    }

private:
    const TrainingStep& step_;
    const TrainingFrame& frame_;
    int plane_, lane_;
    Vector scale_, shift_, mean_, inverse_, mean_gradient_, mean_product_;
};

/// The gradient of x, from the means that are stored.
inline void run_norm_source_gradient(const TrainingStep& step, const TrainingFrame& frame) {
    if (!step.target().exists()) return;
    for_each_target_plane(frame, step.target(), [&](int image, int plane) {
        for (int lane = 0; lane < channel_block; lane += vector_width) {
            const NormSourceGradient gradient{step, frame, plane, lane};
            for (int y = 0; y < step.target().height; ++y) {
                const auto pixel = gradient(image, y);
                float* const to = frame.at(step.target(), image, plane, y, 0) + lane;
                for (int x = 0; x < step.target().width; ++x) store(to + x * channel_block, pixel(x));
            }
        }
    });
}

/// The gradients of gamma and beta, and the means that the gradient of x needs. A frozen norm needs none.
inline void find_gradient_means(const TrainingStep& step, const TrainingFrame& frame) {
    if (step.frozen) return;
    const Tensor& x = step.source();
    sum_gradient_planes(step, frame);
    const double count = static_cast<double>(x.pixels()) * frame.frame.images;
    for_each_block(frame, x, [&](int, int first, int channels) {
        for (int c = first; c < first + channels; ++c)
            set_gradient_means(step, frame, c, take_gradient_sums(step, frame, c), count);
    });
}

/// The gradients of gamma, beta and x: dx = scale * (g - mean(g) - normalized * mean(g * normalized)) + sum, where g is
/// the gradient of what the fused ReLU reads. A frozen norm scales by a constant.
inline void run_norm_gradient(const TrainingStep& step, const TrainingFrame& frame) {
    find_gradient_means(step, frame);
    run_norm_source_gradient(step, frame);
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::cpu
