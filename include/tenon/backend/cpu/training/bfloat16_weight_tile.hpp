#pragma once
// IWYU pragma: private, include <tenon/training.hpp>

// The register tile of weight gradients in bfloat16: several input channels x one panel of output channels. A sum adds
// the products of two images' pixels at a time, those of the second image first, and rounds after each.

#include <tenon/backend/cpu/quantized/bfloat16.hpp>
#include <tenon/backend/cpu/training/weight_tile.hpp>

namespace tenon::cpu {
inline namespace TENON_ISA_NAMESPACE {

/// What a tile reads: see WeightTile, where an image is now a pair of images.
struct Bfloat16WeightTile : WeightTile {
    long second_image;  ///< floats from the first image of a pair to the second one
    bool ends_single;   ///< the last pair has one image
};

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wignored-attributes"

#if TENON_MULTIPLIES_BFLOAT16

/// The words of a pixel of two images for `Blocks` blocks of channels: numbers of the second image in the upper halves.
template <int Blocks>
TENON_INLINE void interleave_images(const float* first, const float* second, Sums (&words)[array_bound<Blocks>]) {
    static_assert(channel_block == 16 && Blocks <= 2);
    if constexpr (Blocks == 2) {
        using Halves [[gnu::vector_size(64)]] = short;
        const auto a = reinterpret_cast<Halves>(load_words(first)), b = reinterpret_cast<Halves>(load_words(second));
        words[0] = reinterpret_cast<Sums>(__builtin_shufflevector(a, b, 0, 32, 1, 33, 2, 34, 3, 35, 4, 36, 5, 37, 6, 38,
                                                                  7, 39, 8, 40, 9, 41, 10, 42, 11, 43, 12, 44, 13, 45,
                                                                  14, 46, 15, 47));
        words[1] = reinterpret_cast<Sums>(__builtin_shufflevector(a, b, 16, 48, 17, 49, 18, 50, 19, 51, 20, 52, 21, 53,
                                                                  22, 54, 23, 55, 24, 56, 25, 57, 26, 58, 27, 59, 28,
                                                                  60, 29, 61, 30, 62, 31, 63));
    } else {
        Shorts a, b;
        std::memcpy(&a, first, sizeof a);
        std::memcpy(&b, second, sizeof b);
        words[0] = (__builtin_convertvector(a, Sums) & 0xffff) | (__builtin_convertvector(b, Sums) << 16);
    }
}

#endif

/// Adds the products of all pixels of a chunk: sums[i][o] += source[i] * gradient[o].
template <int Inputs, int Blocks>
[[gnu::noinline]] void bfloat16_weight_tile(const Bfloat16WeightTile& a) {
    constexpr int vectors = Blocks * vectors_per_block;
    Sums sums[array_bound<Inputs>][array_bound<vectors>];
    TENON_UNROLL for (int i = 0; i < Inputs; ++i) TENON_UNROLL for (int v = 0; v < vectors; ++v) sums[i][v] =
        a.begins ? zero_sums() : load_words(a.sums + i * a.sums_stride + v * vector_width);
    for (int pair = 0; pair < a.images; ++pair) {
        const bool is_single = a.ends_single && pair + 1 == a.images;
        const float* next = a.next + pair * a.source_image;
        for (int y = 0; y < a.rows; ++y) {
            const float* source = a.source + pair * a.source_image + y * a.source_row;
            const float* gradient = a.gradient + pair * a.gradient_image + y * a.gradient_row;
#if TENON_MULTIPLIES_BFLOAT16
            // Without a second image, the source's upper numbers are zero.
            const long second = is_single ? 0 : a.second_image;
            for (int x = 0; x < a.width; ++x, source += a.source_column, gradient += channel_block) {
                Sums g[array_bound<vectors>];
                interleave_images<Blocks>(gradient, gradient + second, g);
                prefetch<2>(next);
                next += a.next_stride;
                TENON_UNROLL for (int i = 0; i < Inputs; ++i) {
                    const Sums value = broadcast_word(source + i);
                    TENON_UNROLL for (int v = 0; v < vectors; ++v) sums[i][v] = add_products(sums[i][v], value, g[v]);
                }
            }
#else
            const auto add_image = [&](const float* x, const float* of) {
                Vector g[array_bound<vectors>];
                TENON_UNROLL for (int v = 0; v < vectors; ++v) g[v] =
                    load(of + v / vectors_per_block * a.gradient_plane + v % vectors_per_block * vector_width);
                TENON_UNROLL for (int i = 0; i < Inputs; ++i) {
                    const Vector value = broadcast(x[i]);
                    TENON_UNROLL for (int v = 0; v < vectors; ++v) sums[i][v] =
                        add_exact_products(sums[i][v], value, g[v]);
                }
            };
            for (int x = 0; x < a.width; ++x, source += a.source_column, gradient += channel_block) {
                prefetch<2>(next);
                next += a.next_stride;
                if (!is_single) add_image(source + a.second_image, gradient + a.second_image);
                add_image(source, gradient);
            }
#endif
        }
    }
    TENON_UNROLL for (int i = 0; i < Inputs; ++i) TENON_UNROLL for (int v = 0; v < vectors; ++v)
        store_words(a.sums + i * a.sums_stride + v * vector_width, sums[i][v]);
}

#pragma GCC diagnostic pop

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::cpu
