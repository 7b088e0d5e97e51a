// The linear step: some output features x some images in registers, the weights streamed once.
#pragma once

#include <tenon/backend/cpu/pointwise.hpp>

namespace tenon {
inline namespace TENON_ISA_NAMESPACE {

/// Blocks of output features whose sums stay in registers: as many vectors as it takes to hide the latency of one
/// multiply-add behind the others, for one image and for several.
inline constexpr int linear_blocks = lanes >= 16 ? 8 : lanes >= 8 ? 4 : 2;

/// Sums of `Images` images with `Blocks` blocks of features over the whole depth.
template <int Images, int Blocks>
[[gnu::noinline]] void linear_tile(const Step& step, const Frame& frame, int first_image, int first_block) {
    constexpr int vectors = Blocks * vectors_per_block;
    const Tensor& source = step.source();
    const int depth = static_cast<int>(source.floats());
    const float* from[array_bound<Images>];
    Vector sums[array_bound<Images>][array_bound<vectors>];
    TENON_UNROLL for (int i = 0; i < Images; ++i) {
        from[i] = frame.image(first_image + i) + source.offset;
        TENON_UNROLL for (int v = 0; v < vectors; ++v) sums[i][v] =
            load(frame.weights + step.shift + first_block * block + v * lanes);
    }
    const float* weights = frame.weights + step.weights + static_cast<long>(first_block) * block * depth;
    for (int k = 0; k < depth; ++k, weights += Blocks * block) {
        Vector pixels[array_bound<Images>];
        TENON_UNROLL for (int i = 0; i < Images; ++i) pixels[i] = broadcast(from[i][k]);
        TENON_UNROLL for (int v = 0; v < vectors; ++v) {
            const Vector w = load(weights + v * lanes);
            TENON_UNROLL for (int i = 0; i < Images; ++i) sums[i][v] = multiply_add(pixels[i], w, sums[i][v]);
        }
    }
    TENON_UNROLL for (int i = 0; i < Images; ++i) {
        float* to = frame.image(first_image + i) + step.target.offset + first_block * block;
        TENON_UNROLL for (int v = 0; v < vectors; ++v) store(to + v * lanes, step.relu ? relu(sums[i][v]) : sums[i][v]);
    }
}

/// Runs a linear step with `Rest` blocks in the last group (0: it is full). Depth is the order of the source's storage.
template <int Rest>
void run_linear(const Step& step, const Frame& frame) {
    frame.team->for_each(step.panels, [&](int group) {
        const int first = group * linear_blocks;
        const bool rest = Rest > 0 && group == step.panels - 1;
        const auto tile = [&]<int Images>(int image) {
            if (!rest) return linear_tile<Images, linear_blocks>(step, frame, image, first);
            if constexpr (Rest > 0) linear_tile<Images, Rest>(step, frame, image, first);
        };
        constexpr int together = lanes >= 16 ? 3 : 1;  // images whose sums fit the registers
        int image = 0;
        for (; image + together <= frame.images; image += together) tile.template operator()<together>(image);
        for (; image < frame.images; ++image) tile.template operator()<1>(image);
    });
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon
