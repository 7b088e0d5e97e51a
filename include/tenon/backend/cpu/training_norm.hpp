// Batch norm in training: statistics of the batch, normalising, and the gradient, each fused with the ReLU behind it.
#pragma once

#include <cmath>

#include <tenon/backend/cpu/simd_mask.hpp>
#include <tenon/backend/cpu/training_step.hpp>

namespace tenon {
inline namespace TENON_ISA_NAMESPACE {

/// Where the per-channel numbers of a batch norm lie: each as many floats as there are channels, blocks filled up with
/// zeros.
struct NormNumbers {
    float *mean, *inverse, *scale, *shift;  ///< normalised = (x - mean) * inverse, result = x * scale + shift
    float *mean_gradient, *mean_product;    ///< means of the gradient, and of gradient * normalised
    static constexpr int count = 6;

    NormNumbers(const TrainingStep& step, const TrainingFrame& frame, int channel = 0) {
        const long stride = static_cast<long>(step.source().planes()) * block;
        float* begin = frame.statistics + step.statistics + channel;
        mean = begin;
        inverse = begin + stride;
        scale = begin + 2 * stride;
        shift = begin + 3 * stride;
        mean_gradient = begin + 4 * stride;
        mean_product = begin + 5 * stride;
    }
};

/// Whether a norm has gamma and beta; its running statistics are the last two parameters.
inline bool is_affine(const TrainingFrame& frame, int layer) { return frame.layer(layer).parameters == 4; }

/// Derives scale and shift of one channel.
inline void set_affine(const TrainingStep& step, const TrainingFrame& frame, int channel, double mean,
                       double variance) {
    const NormNumbers numbers{step, frame, channel};
    const bool affine = is_affine(frame, step.layer);
    const double inverse = 1 / std::sqrt(variance + frame.layer(step.layer).epsilon);
    const double gamma = affine ? double{frame.parameter(step.layer, 0)[channel]} : 1.0;
    const double beta = affine ? double{frame.parameter(step.layer, 1)[channel]} : 0.0;
    *numbers.mean = static_cast<float>(mean);
    *numbers.inverse = static_cast<float>(inverse);
    *numbers.scale = static_cast<float>(gamma * inverse);
    *numbers.shift = static_cast<float>(beta - mean * gamma * inverse);
}

/// Two sums over the pixels of a plane, each pixel's addends given by f(pixel of x, y, x, lane, sums); rows are summed
/// apart first, which is more exact. Stored as partials of the image.
template <class F>
TENON_INLINE void sum_plane(const TrainingFrame& frame, const Tensor& tensor, int image, int plane, const F& f) {
    float* partial = frame.partials + (static_cast<long>(image) * tensor.planes() + plane) * 2 * block;
    for (int lane = 0; lane < block; lane += lanes) {
        Vector first = zero(), second = zero();
        for (int y = 0; y < tensor.height; ++y) {
            Vector a = zero(), b = zero();
            for (int x = 0; x < tensor.width; ++x) f(y, x, lane, a, b);
            first = add(first, a);
            second = add(second, b);
        }
        store(partial + lane, first);
        store(partial + block + lane, second);
    }
}

/// The partials of one channel of an image.
inline double partial(const TrainingFrame& frame, const Tensor& tensor, int image, int channel, int which) {
    return double{frame.partials[(static_cast<long>(image) * tensor.planes() + channel / block) * 2 * block +
                                 which * block + channel % block]};
}

/// Mean and variance over the batch: of each image in two passes, then merged in the order of the images (Chan et al.),
/// so that nothing cancels and nothing depends on the threads. Moves the running statistics.
inline void run_statistics(const TrainingStep& step, const TrainingFrame& frame) {
    const Tensor& x = step.source();
    const float share_of_pixel = 1.0f / static_cast<float>(x.pixels());
    for_each_target_plane(frame, x, [&](int image, int plane) {
        float means[block];
        for (int lane = 0; lane < block; lane += lanes) {
            Vector sum = zero();
            for (int y = 0; y < x.height; ++y) {
                const float* row = frame.at(x, image, plane, y, 0) + lane;
                Vector of_row = zero();
                for (int i = 0; i < x.width; ++i) of_row = add(of_row, load(row + i * block));
                sum = add(sum, of_row);
            }
            alignas(64) float sums[lanes];
            store(sums, sum);
            for (int i = 0; i < lanes; ++i) means[lane + i] = sums[i] * share_of_pixel;
        }
        float* partial = frame.partials + (static_cast<long>(image) * x.planes() + plane) * 2 * block;
        for (int lane = 0; lane < block; lane += lanes) {
            alignas(64) float centre[lanes];
            std::copy_n(means + lane, lanes, centre);
            const Vector mean = load(centre);
            Vector sum = zero();
            for (int y = 0; y < x.height; ++y) {
                const float* row = frame.at(x, image, plane, y, 0) + lane;
                Vector of_row = zero();
                for (int i = 0; i < x.width; ++i) {
                    const Vector off = subtract(load(row + i * block), mean);
                    of_row = multiply_add(off, off, of_row);
                }
                sum = add(sum, of_row);
            }
            store(partial + lane, mean);
            store(partial + block + lane, sum);
        }
    });
    const double pixels = x.pixels();
    const double momentum = frame.layer(step.layer).momentum;
    const int first_running = frame.layer(step.layer).parameters - 2;
    for_each_block(frame, x, [&](int, int first, int channels) {
        for (int c = first; c < first + channels; ++c) {
            double mean = 0, squares = 0, count = 0;
            for (int image = 0; image < frame.frame.images; ++image) {
                const double difference = partial(frame, x, image, c, 0) - mean, total = count + pixels;
                mean += difference * pixels / total;
                squares += partial(frame, x, image, c, 1) + difference * difference * count * pixels / total;
                count = total;
            }
            set_affine(step, frame, c, mean, squares / count);
            float &running_mean = frame.parameter(step.layer, first_running)[c],
                  &running_variance = frame.parameter(step.layer, first_running + 1)[c];
            running_mean = static_cast<float>((1 - momentum) * double{running_mean} + momentum * mean);
            running_variance =
                static_cast<float>((1 - momentum) * double{running_variance} + momentum * squares / (count - 1));
        }
    });
}

/// x * scale + shift, then ReLU if it is fused; a frozen norm takes its running statistics.
inline void run_norm(const TrainingStep& step, const TrainingFrame& frame) {
    const Tensor &x = step.source(), &target = step.target();
    if (step.frozen)
        for_each_block(frame, x, [&](int, int first, int channels) {
            const int running = frame.layer(step.layer).parameters - 2;
            for (int c = first; c < first + channels; ++c)
                set_affine(step, frame, c, double{frame.parameter(step.layer, running)[c]},
                           double{frame.parameter(step.layer, running + 1)[c]});
        });
    for_each_target_plane(frame, target, [&](int image, int plane) {
        const NormNumbers numbers{step, frame, plane * block};
        for (int lane = 0; lane < block; lane += lanes) {
            const Vector scale = load(numbers.scale + lane), shift = load(numbers.shift + lane);
            for (int y = 0; y < x.height; ++y) {
                const float* from = frame.at(x, image, plane, y, 0) + lane;
                float* to = frame.at(target, image, plane, y, 0) + lane;
                for (int i = 0; i < x.width; ++i) {
                    const Vector value = multiply_add(load(from + i * block), scale, shift);
                    store(to + i * block, step.step.relu ? relu(value) : value);
                }
            }
        }
    });
}

/// The gradients of gamma, beta and x: dx = scale * (g - mean(g) - normalised * mean(g * normalised)) + sum, where g is
/// the gradient behind the fused ReLU. A frozen norm is a constant scaling.
inline void run_norm_gradient(const TrainingStep& step, const TrainingFrame& frame) {
    const Tensor &x = step.source(), &gradient = step.gradient, &target = step.target();
    if (!step.frozen) {
        for_each_target_plane(frame, x, [&](int image, int plane) {
            const NormNumbers numbers{step, frame, plane * block};
            sum_plane(frame, x, image, plane, [&](int y, int i, int lane, Vector& sum, Vector& product) {
                const Vector value = load(frame.at(x, image, plane, y, i) + lane);
                Vector g = load(frame.at(gradient, image, plane, y, i) + lane);
                if (step.step.relu)
                    g = relu_gradient(g, multiply_add(value, load(numbers.scale + lane), load(numbers.shift + lane)));
                const Vector normalised =
                    multiply(subtract(value, load(numbers.mean + lane)), load(numbers.inverse + lane));
                sum = add(sum, g);
                product = multiply_add(g, normalised, product);
            });
        });
        const double count = static_cast<double>(x.pixels()) * frame.frame.images;
        for_each_block(frame, x, [&](int, int first, int channels) {
            for (int c = first; c < first + channels; ++c) {
                double sum = 0, product = 0;
                for (int image = 0; image < frame.frame.images; ++image) {
                    sum += partial(frame, x, image, c, 0);
                    product += partial(frame, x, image, c, 1);
                }
                const NormNumbers numbers{step, frame, c};
                *numbers.mean_gradient = static_cast<float>(sum / count);
                *numbers.mean_product = static_cast<float>(product / count);
                if (!is_affine(frame, step.layer)) continue;
                frame.gradient(step.layer, 0)[c] = static_cast<float>(product);
                frame.gradient(step.layer, 1)[c] = static_cast<float>(sum);
            }
        });
    }
    if (!target.exists()) return;
    for_each_target_plane(frame, target, [&](int image, int plane) {
        const NormNumbers numbers{step, frame, plane * block};
        for (int lane = 0; lane < block; lane += lanes) {
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
                    const Vector value = load(values + i * block);
                    Vector g = load(gradients + i * block);
                    if (step.step.relu) g = relu_gradient(g, multiply_add(value, scale, shift));
                    if (!step.frozen) {
                        const Vector normalised = multiply(subtract(value, mean), inverse);
                        g = subtract(subtract(g, mean_gradient), multiply(normalised, mean_product));
                    }
                    const Vector result = multiply(g, scale);
                    store(to + i * block, sums ? add(result, load(sums + i * block)) : result);
                }
            }
        }
    });
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon
