#pragma once
// IWYU pragma: private, include <tenon/inference.hpp>

// The linear step: sums of several output features x several images in registers; the weights are streamed once.

#include <tenon/backend/cpu/kernels/pointwise.hpp>

namespace tenon::cpu {
inline namespace TENON_ISA_NAMESPACE {

/// Computes `Blocks` blocks of features for `Images` images, over the complete depth.
template <int Images, int Blocks>
TENON_HOT [[gnu::noinline]] void linear_tile(const Step& step, const Frame& frame, int first_image, int first_block) {
    constexpr int vectors = Blocks * vectors_per_block;
    const Tensor& source = step.source();
    const int depth = static_cast<int>(source.floats());
    const float* from[array_bound<Images>];
    Vector sums[array_bound<Images>][array_bound<vectors>];
    TENON_UNROLL for (int i = 0; i < Images; ++i) {
        from[i] = frame.image(first_image + i) + source.offset;
        TENON_UNROLL for (int v = 0; v < vectors; ++v) sums[i][v] =
            load(frame.weights + step.shift + first_block * channel_block + v * vector_width);
    }
    const float* weights = frame.weights + step.weights + long{first_block} * channel_block * depth;
    for (int k = 0; k < depth; ++k, weights += Blocks * channel_block) {
        Vector pixels[array_bound<Images>];
        TENON_UNROLL for (int i = 0; i < Images; ++i) pixels[i] = broadcast(from[i][k]);
        TENON_UNROLL for (int v = 0; v < vectors; ++v) {
            const Vector w = load(weights + v * vector_width);
            TENON_UNROLL for (int i = 0; i < Images; ++i) sums[i][v] = multiply_add(pixels[i], w, sums[i][v]);
        }
    }
    TENON_UNROLL for (int i = 0; i < Images; ++i) {
        float* to = frame.image(first_image + i) + step.target.offset + first_block * channel_block;
        TENON_UNROLL for (int v = 0; v < vectors; ++v)
            store(to + v * vector_width, step.relu ? relu(sums[i][v]) : sums[i][v]);
    }
}

/// Runs a linear step; its last group has `Rest` blocks, 0 meaning it is full. Depth follows the source's storage.
template <int Rest>
void run_linear(const Step& step, const Frame& frame) {
    frame.team->for_each(step.panels, [&](int group) {
        const int first = group * linear_blocks;
        const bool rest = Rest > 0 && group == step.panels - 1;
        const auto tile = [&]<int Images>(int image) {
            if (!rest) return linear_tile<Images, linear_blocks>(step, frame, image, first);
            if constexpr (Rest > 0) linear_tile<Images, Rest>(step, frame, image, first);
        };
        constexpr int together = vector_width >= 16 ? 3 : 1;  // images whose sums fit the registers
        int image = 0;
        for (; image + together <= frame.images; image += together) tile.template operator()<together>(image);
        for (; image < frame.images; ++image) tile.template operator()<1>(image);
    });
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::cpu
