#pragma once
// IWYU pragma: private, include <tenon/cuda.hpp>

// Kernels whose blocks sum up or compare many elements, in a fixed order: global pooling and softmax.

#include <tenon/backend/cuda/kernels/map.hpp>
#include <tenon/core/index.hpp>

namespace tenon::cuda {

/// The scalars of a global pooling's call.
struct GlobalPoolArguments {
    const void* source = nullptr;
    int pixels = 1;  ///< of the source's map
    bool average = true;
    void* target = nullptr;
    int channels = 0;
};

/// The scalars of a softmax's call.
struct SoftmaxArguments {
    const void* source = nullptr;
    void* target = nullptr;
    int features = 0;  ///< of an image
};

inline namespace TENON_ISA_NAMESPACE {

/// The largest value or the mean of each channel of an image. A block takes 32 channels of one image; 8 threads divide
/// the pixels of a channel.
template <class NumberType>
struct GlobalPoolKernel {
    static constexpr const char* name = "global_pool";
    static constexpr int threads = 256, channels = 32, rows = threads / channels;
    using Arguments = GlobalPoolArguments;
    using Registers = Nothing;
    struct Shared {
        float partial[rows][channels];
    };

    template <class Block>
    TENON_DEVICE static void run(Block& block, const Arguments& arguments) {
        const Grid index = block.index();
        Shared& shared = block.shared();
        const int all = arguments.channels;
        block.threads([&](int thread, Registers&) {
            const int channel = index.y * channels + thread % channels, row = thread / channels;
            float value = arguments.average ? 0.0f : -INFINITY;
            if (channel < all) {
                const NumberType* from =
                    static_cast<const NumberType*>(arguments.source) + long{index.x} * arguments.pixels * all + channel;
                for (int pixel = row; pixel < arguments.pixels; pixel += rows) {
                    const float next = to_float(from[long{pixel} * all]);
                    if (arguments.average)
                        value += next;
                    else if (next > value || next != next)
                        value = next;
                }
            }
            shared.partial[row][thread % channels] = value;
        });
        block.threads([&](int thread, Registers&) {
            const int channel = index.y * channels + thread;
            if (thread >= channels || channel >= all) return;
            float value = shared.partial[0][thread];
            for (int row = 1; row < rows; ++row) {
                const float next = shared.partial[row][thread];
                if (arguments.average)
                    value += next;
                else if (next > value || next != next)
                    value = next;
            }
            if (arguments.average) value /= static_cast<float>(arguments.pixels);
            static_cast<NumberType*>(arguments.target)[long{index.x} * all + channel] = from_float<NumberType>(value);
        });
    }

    static Grid grid(const Arguments& arguments, int images) {
        return {images, static_cast<int>(blocks_of(arguments.channels, channels)), 1};  // x has no small bound
    }
};

/// Softmax over all features of an image; one block per image.
template <class NumberType>
struct SoftmaxKernel {
    static constexpr const char* name = "softmax";
    static constexpr int threads = 256;
    using Arguments = SoftmaxArguments;
    using Registers = Nothing;
    struct Shared {
        float partial[threads];
    };

    template <class Block>
    TENON_DEVICE static void run(Block& block, const Arguments& arguments) {
        Shared& shared = block.shared();
        const int features = arguments.features;
        const long first = static_cast<long>(block.index().x) * features;
        const NumberType* from = static_cast<const NumberType*>(arguments.source) + first;
        NumberType* to = static_cast<NumberType*>(arguments.target) + first;
        block.threads([&](int thread, Registers&) {
            float largest = -INFINITY;
            for (int i = thread; i < features; i += threads) {
                const float value = to_float(from[i]);
                if (value > largest) largest = value;
            }
            shared.partial[thread] = largest;
        });
        for (int half = threads / 2; half > 0; half /= 2)
            block.threads([&](int thread, Registers&) {
                if (thread < half && shared.partial[thread + half] > shared.partial[thread])
                    shared.partial[thread] = shared.partial[thread + half];
            });
        const float largest = shared.partial[0];
        block.threads([](int, Registers&) {});  // a barrier: all have read it
        block.threads([&](int thread, Registers&) {
            float sum = 0;
            for (int i = thread; i < features; i += threads) sum += ::expf(to_float(from[i]) - largest);
            shared.partial[thread] = sum;
        });
        for (int half = threads / 2; half > 0; half /= 2)
            block.threads([&](int thread, Registers&) {
                if (thread < half) shared.partial[thread] += shared.partial[thread + half];
            });
        block.threads([&](int thread, Registers&) {
            const float sum = shared.partial[0];
            for (int i = thread; i < features; i += threads)
                to[i] = from_float<NumberType>(::expf(to_float(from[i]) - largest) / sum);
        });
    }

    static Grid grid(int images) { return {images, 1, 1}; }
};

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::cuda
