#pragma once
// IWYU pragma: private, include <tenon/cuda.hpp>

// Softmax cross-entropy and its gradient, and the gradient of a softmax inside a network; one block per image.

#include <tenon/backend/cuda/training/map.hpp>
#include <tenon/backend/cuda/training/pool_gradient.hpp>
#include <tenon/backend/shared/loss_scale.hpp>
#include <tenon/core/index.hpp>

namespace tenon::cuda {

/// The loss of one image.
struct ImageLoss {
    double loss = 0;
    long correct = 0;
};

/// The scalars of a loss' call. Either labels or targets are given.
struct LossArguments {
    const void* logits = nullptr;
    const int* labels = nullptr;     ///< [image]
    const float* targets = nullptr;  ///< [image][class]
    void* gradient = nullptr;        ///< of the batch's mean loss
    float* stored_logits = nullptr;  ///< [image][class]
    ImageLoss* losses = nullptr;     ///< [image]
    const StepScalars* scalars = nullptr;
    const LossScale* scale = nullptr;  ///< of the gradient; null: the loss is not scaled
    int classes = 0, images = 1;
};

/// The scalars of a softmax's gradient.
struct SoftmaxGradientArguments {
    const void* result = nullptr;
    const void* gradient = nullptr;
    const void* sum = nullptr;
    void* target = nullptr;
    int features = 0;  ///< of an image
};

inline namespace TENON_ISA_NAMESPACE {

/// Sums up one number of each thread, pairwise and so in a fixed order; afterwards all threads may read shared[0].
template <class Block, class Scalar>
TENON_DEVICE void add_threads(Block& block, Scalar* shared, int threads) {
    for (int half = threads / 2; half > 0; half /= 2)
        block.threads([&](int thread, auto&) {
            if (thread < half) shared[thread] += shared[thread + half];
        });
}

/// A thread's share of the sum of a batch's losses.
TENON_DEVICE double thread_loss(int thread, int threads, const ImageLoss* losses, int images) {
    double sum = 0;
    for (int i = thread; i < images; i += threads) sum += losses[i].loss;
    return sum;
}

/// engine/loss.hpp on the device, in double: q = (1 - s) * target + s / classes; loss = -sum q log p; the gradient is
/// (p * sum q - q) / images.
template <class NumberType>
struct LossKernel {
    static constexpr const char* name = "loss";
    static constexpr int threads = 128;
    using Arguments = LossArguments;
    using Registers = Nothing;
    struct Shared {
        double sums[3][threads];
        float largest[2][threads];  // logit, target
        int place[2][threads];
    };

    template <class Block>
    TENON_DEVICE static void run(Block& block, const Arguments& arguments) {
        Shared& shared = block.shared();
        const int image = block.index().x, classes = arguments.classes;
        const NumberType* logits = static_cast<const NumberType*>(arguments.logits) + long{image} * classes;
        const auto target = [&](int c) {
            const double given = arguments.labels ? (arguments.labels[image] == c ? 1.0 : 0.0)
                                                  : double{arguments.targets[long{image} * classes + c]};
            return (1 - arguments.scalars->label_smoothing) * given + arguments.scalars->label_smoothing / classes;
        };
        block.threads([&](int thread, Registers&) {
            float largest[2]{};
            int place[2]{-1, -1};
            for (int c = thread; c < classes; c += threads) {
                const float logit = to_float(logits[c]);
                arguments.stored_logits[long{image} * classes + c] = logit;
                const float values[2] = {logit, arguments.labels ? (arguments.labels[image] == c ? 1.0f : 0.0f)
                                                                 : arguments.targets[long{image} * classes + c]};
                TENON_CUDA_UNROLL
                for (int i = 0; i < 2; ++i)
                    if (place[i] < 0 || replaces(values[i], c, largest[i], place[i])) {
                        largest[i] = values[i];
                        place[i] = c;
                    }
            }
            TENON_CUDA_UNROLL
            for (int i = 0; i < 2; ++i) {
                shared.largest[i][thread] = largest[i];
                shared.place[i][thread] = place[i];
            }
        });
        for (int half = threads / 2; half > 0; half /= 2)
            block.threads([&](int thread, Registers&) {
                if (thread >= half) return;
                TENON_CUDA_UNROLL
                for (int i = 0; i < 2; ++i) {
                    const float value = shared.largest[i][thread + half];
                    const int place = shared.place[i][thread + half];
                    if (place >= 0 && (shared.place[i][thread] < 0 ||
                                       replaces(value, place, shared.largest[i][thread], shared.place[i][thread]))) {
                        shared.largest[i][thread] = value;
                        shared.place[i][thread] = place;
                    }
                }
            });
        const auto distance = [&](int c) {
            return static_cast<double>(to_float(logits[c])) - static_cast<double>(shared.largest[0][0]);
        };
        block.threads([&](int thread, Registers&) {
            double sum = 0;
            for (int c = thread; c < classes; c += threads) sum += ::exp(distance(c));
            shared.sums[0][thread] = sum;
        });
        add_threads(block, shared.sums[0], threads);
        block.threads([&](int thread, Registers&) {
            const double log_sum = ::log(shared.sums[0][0]);
            double loss = 0, total = 0;
            for (int c = thread; c < classes; c += threads) {
                loss -= target(c) * (distance(c) - log_sum);
                total += target(c);
            }
            shared.sums[1][thread] = loss;
            shared.sums[2][thread] = total;
        });
        add_threads(block, shared.sums[1], threads);
        add_threads(block, shared.sums[2], threads);
        block.threads([&](int thread, Registers&) {
            NumberType* gradient = static_cast<NumberType*>(arguments.gradient) + long{image} * classes;
            const float scale = arguments.scale ? arguments.scale->scale : 1.0f;
            for (int c = thread; c < classes; c += threads) {
                const double probability = ::exp(distance(c)) / shared.sums[0][0];
                const double mean = (probability * shared.sums[2][0] - target(c)) / arguments.images;
                gradient[c] = from_float<NumberType>(static_cast<float>(mean) * scale);
            }
            if (thread == 0)
                arguments.losses[image] = {shared.sums[1][0], shared.place[0][0] == shared.place[1][0] ? 1 : 0};
        });
    }

    static Grid grid(const Arguments& arguments) { return {arguments.images, 1, 1}; }
};

/// y * (gradient - sum(y * gradient)) + sum, y a softmax's result.
template <class NumberType>
struct SoftmaxGradientKernel {
    static constexpr const char* name = "softmax_gradient";
    static constexpr int threads = 128;
    using Arguments = SoftmaxGradientArguments;
    using Registers = Nothing;
    struct Shared {
        double products[threads];
    };

    template <class Block>
    TENON_DEVICE static void run(Block& block, const Arguments& arguments) {
        Shared& shared = block.shared();
        const long first = static_cast<long>(block.index().x) * arguments.features;
        const NumberType* result = static_cast<const NumberType*>(arguments.result) + first;
        const NumberType* gradient = static_cast<const NumberType*>(arguments.gradient) + first;
        block.threads([&](int thread, Registers&) {
            double product = 0;
            for (int i = thread; i < arguments.features; i += threads)
                product += static_cast<double>(to_float(result[i])) * static_cast<double>(to_float(gradient[i]));
            shared.products[thread] = product;
        });
        add_threads(block, shared.products, threads);
        block.threads([&](int thread, Registers&) {
            for (int i = thread; i < arguments.features; i += threads) {
                double value = static_cast<double>(to_float(result[i])) *
                               (static_cast<double>(to_float(gradient[i])) - shared.products[0]);
                if (arguments.sum)
                    value += static_cast<double>(to_float(static_cast<const NumberType*>(arguments.sum)[first + i]));
                static_cast<NumberType*>(arguments.target)[first + i] =
                    from_float<NumberType>(static_cast<float>(value));
            }
        });
    }

    static Grid grid(int images) { return {images, 1, 1}; }
};

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::cuda
