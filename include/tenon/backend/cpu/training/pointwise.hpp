#pragma once
// IWYU pragma: private, include <tenon/training.hpp>

// Steps of training that go pixel by pixel: masks of ReLU and dropout, products, sums.

#include <algorithm>
#include <cmath>

#include <tenon/backend/cpu/layout/training_step.hpp>
#include <tenon/backend/cpu/simd/mask.hpp>
#include <tenon/backend/shared/elementwise.hpp>
#include <tenon/core/dropout_mask.hpp>

namespace tenon::cpu {
inline namespace TENON_ISA_NAMESPACE {

/// target = f(image, plane, y, x, lane) + sum, for each vector; f returns a vector.
template <class F>
void map_pixels(const TrainingStep& step, const TrainingFrame& frame, const F& f) {
    const Tensor& target = step.target();
    for_each_target_plane(frame, target, [&](int image, int plane) {
        for (int y = 0; y < target.height; ++y)
            for (int x = 0; x < target.width; ++x)
                for (int lane = 0; lane < channel_block; lane += vector_width) {
                    Vector value = f(image, plane, y, x, lane);
                    if (step.sum.exists()) value = add(value, load(frame.at(step.sum, image, plane, y, x) + lane));
                    store(frame.at(target, image, plane, y, x) + lane, value);
                }
    });
}

/// The gradient where a result is above zero.
inline void run_relu_gradient(const TrainingStep& step, const TrainingFrame& frame) {
    map_pixels(step, frame, [&](int image, int plane, int y, int x, int lane) {
        return relu_gradient(load(frame.at(step.gradient, image, plane, y, x) + lane),
                             load(frame.at(step.result, image, plane, y, x) + lane));
    });
}

/// gradient + sum.
inline void run_add_gradient(const TrainingStep& step, const TrainingFrame& frame) {
    map_pixels(step, frame, [&](int image, int plane, int y, int x, int lane) {
        return load(frame.at(step.gradient, image, plane, y, x) + lane);
    });
}

/// gradient * the other operand of a product.
inline void run_product_gradient(const TrainingStep& step, const TrainingFrame& frame) {
    map_pixels(step, frame, [&](int image, int plane, int y, int x, int lane) {
        return multiply(load(frame.at(step.gradient, image, plane, y, x) + lane),
                        load(frame.at(step.other, image, plane, y, x) + lane));
    });
}

/// A scaling, of a value or of a gradient.
inline void run_training_scale(const TrainingStep& step, const TrainingFrame& frame) {
    const Vector factor = broadcast(static_cast<float>(frame.layer(step.layer).rate));
    const Tensor& from = step.gradient.exists() ? step.gradient : step.source();
    map_pixels(step, frame, [&](int image, int plane, int y, int x, int lane) {
        return multiply(load(frame.at(from, image, plane, y, x) + lane), factor);
    });
}

/// The gradient of a function of each element: `f(saved, gradient, result, count)` computes it for some channels of a
/// pixel.
template <class F>
void map_gradients(const TrainingStep& step, const TrainingFrame& frame, const F& f) {
    map_pixels(step, frame, [&](int image, int plane, int y, int x, int lane) {
        alignas(64) float result[vector_width]{};
        const int count = std::min(vector_width, step.gradient.channels - plane * channel_block - lane);
        f(frame.at(step.result, image, plane, y, x) + lane, frame.at(step.gradient, image, plane, y, x) + lane, result,
          count);
        return load(result);
    });
}

/// The gradient of an operation of backend/shared/elementwise.hpp.
template <OpKind Kind>
void run_elementwise_gradient(const TrainingStep& step, const TrainingFrame& frame) {
    map_gradients(step, frame, [](const float* saved, const float* gradient, float* result, int count) {
        for (int c = 0; c < count; ++c) result[c] = elementwise_gradient(Kind, saved[c], gradient[c]);
    });
}

/// The gradient of a user's function.
inline void run_user_function_gradient(const TrainingStep& step, const TrainingFrame& frame) {
    map_gradients(step, frame, [&](const float* saved, const float* gradient, float* result, int count) {
        step.step.function->floats.gradient(saved, gradient, result, count);
    });
}

/// Dropout, of a value or of a gradient: the mask counts features in the user's order (channel, row, column).
inline void run_dropout(const TrainingStep& step, const TrainingFrame& frame) {
    const DropoutMask mask{frame.seed, step.layer, frame.layer(step.layer).rate};
    const Tensor& from = step.gradient.exists() ? step.gradient : step.source();
    map_pixels(step, frame, [&](int image, int plane, int y, int x, int lane) {
        alignas(64) float factors[vector_width]{};
        for (int i = 0; i < vector_width; ++i) {
            const long channel = plane * channel_block + lane + i;
            if (channel >= from.channels) break;
            const long feature = (long{image} * from.channels + channel) * from.pixels();
            factors[i] = static_cast<float>(mask(feature + long{y} * from.width + x));
        }
        return multiply(load(frame.at(from, image, plane, y, x) + lane), load(factors));
    });
}

/// y * (gradient - sum(y * gradient)), y a softmax's result.
inline void run_softmax_gradient(const TrainingStep& step, const TrainingFrame& frame) {
    frame.team().for_each(frame.frame.images, [&](int image) {
        const float* y = frame.frame.image(image) + step.result.origin();
        const float* gradient = frame.frame.image(image) + step.gradient.origin();
        double product = 0;
        for (int c = 0; c < step.result.channels; ++c) product += double{y[c]} * double{gradient[c]};
        const float* sum = step.sum.exists() ? frame.frame.image(image) + step.sum.origin() : nullptr;
        float* to = frame.frame.image(image) + step.target().origin();
        for (long c = 0; c < step.target().floats(); ++c) {
            const double value = c < step.result.channels ? double{y[c]} * (double{gradient[c]} - product) : 0.0;
            to[c] = static_cast<float>(value + (sum ? double{sum[c]} : 0.0));
        }
    });
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::cpu
