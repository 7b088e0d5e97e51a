#pragma once
// IWYU pragma: private, include <tenon/training.hpp>

// The register tile of weight gradients: several input channels x one panel of output channels, all sums in registers.

#include <tenon/backend/cpu/kernels/tile.hpp>

namespace tenon::cpu {
inline namespace TENON_ISA_NAMESPACE {

/// Input channels (of a planar source: taps of a row) whose products with a panel of output channels a tile sums up in
/// registers.
inline constexpr int gradient_inputs = vector_width >= 16 ? 8 : 4;

/// What a tile of a weight gradient reads: pixels of the gradient, and the source's pixels under one tap.
struct WeightTile {
    const float *source, *gradient;
    long source_image, gradient_image;  ///< floats from image to image
    long source_row, gradient_row;
    int source_column;
    long gradient_plane;
    int images, rows, width;
    bool begins;        ///< the sums begin with these pixels instead of continuing
    const float* next;  ///< what is read soon: prefetched, `next_stride` floats per pixel
    long next_stride;
    float* sums;  ///< [Inputs][width of the panel], in memory between chunks
    long sums_stride;
};

/// Adds the products of all pixels of a chunk: sums[i][o] += source[i] * gradient[o].
template <int Inputs, int Blocks>
[[gnu::noinline]] void weight_tile(const WeightTile& a) {
    constexpr int vectors = Blocks * vectors_per_block;
    Vector sums[array_bound<Inputs>][array_bound<vectors>];
    TENON_UNROLL for (int i = 0; i < Inputs; ++i) TENON_UNROLL for (int v = 0; v < vectors; ++v) sums[i][v] =
        a.begins ? zero() : load(a.sums + i * a.sums_stride + v * vector_width);
    for (int image = 0; image < a.images; ++image) {
        const float* next = a.next + image * a.source_image;
        for (int y = 0; y < a.rows; ++y) {
            const float* source = a.source + image * a.source_image + y * a.source_row;
            const float* gradient = a.gradient + image * a.gradient_image + y * a.gradient_row;
            for (int x = 0; x < a.width; ++x, source += a.source_column, gradient += channel_block) {
                Vector g[array_bound<vectors>];
                TENON_UNROLL for (int v = 0; v < vectors; ++v) g[v] =
                    load(gradient + v / vectors_per_block * a.gradient_plane + v % vectors_per_block * vector_width);
                prefetch<2>(next);
                next += a.next_stride;
                TENON_UNROLL for (int i = 0; i < Inputs; ++i) {
                    const Vector value = broadcast(source[i]);
                    TENON_UNROLL for (int v = 0; v < vectors; ++v) sums[i][v] = multiply_add(value, g[v], sums[i][v]);
                }
            }
        }
    }
    TENON_UNROLL for (int i = 0; i < Inputs; ++i) TENON_UNROLL for (int v = 0; v < vectors; ++v)
        store(a.sums + i * a.sums_stride + v * vector_width, sums[i][v]);
}

/// The same for any number of inputs up to gradient_inputs.
template <int Blocks, int Inputs = gradient_inputs>
void weight_tile_of(int inputs, const WeightTile& tile) {
    if (inputs == Inputs) return weight_tile<Inputs, Blocks>(tile);
    if constexpr (Inputs > 1) weight_tile_of<Blocks, Inputs - 1>(inputs, tile);
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::cpu
