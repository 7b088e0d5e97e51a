#pragma once
// IWYU pragma: private, include <tenon/inference.hpp>

// The machine that plans are made for: register tiles, caches and rates. All numbers that were measured rather than
// derived are here, each with its unit, the machine and the day of the measurement, and the command that repeats it.
//
// "Zen 4" is a core of an AMD EPYC with AVX-512, 118 GFLOP/s in float32, 1 MB of second-level cache; "Zen 3" one with
// AVX2, 103 GFLOP/s, 512 KB. The commands are run on an idle machine: `scripts/bench layers` prints GFLOP/s and the
// share of the peak for each convolution, `scripts/bench network` milliseconds and shares step by step. A number is
// tried by changing it here. None of them changes a result's bits unless its comment says so.

#include <tenon/backend/cpu/simd/vector.hpp>

namespace tenon::cpu {
inline namespace TENON_ISA_NAMESPACE {

/// What fits into the registers. Sums, weights and one pixel fill them but don't spill (test: backend.spills): 14 x 2
/// vectors of 32 registers with AVX-512, 14 * 2 sums + 2 weights + 1 pixel = 31; 6 x 2 of 16 with AVX2, 12 + 2 + 1
/// = 15. 98 to 100 % of the peak on Zen 4 and Zen 3, 2026-11-24, `scripts/bench layers`.
#if defined(__AVX512F__)
inline constexpr int panel_blocks = 2;  ///< channel blocks in a panel of output channels
inline constexpr int tile_pixels = 14;  ///< the most pixels of a tile
#elif defined(__AVX__)
inline constexpr int panel_blocks = 1, tile_pixels = 6;
#elif defined(__ARM_NEON)
inline constexpr int panel_blocks = 1, tile_pixels = 4;
#else
inline constexpr int panel_blocks = 1, tile_pixels = 2;
#endif

/// Blocks of output features whose sums a linear layer keeps in registers: as many vectors as it takes to hide the
/// latency of a multiply-add. Two fused multiply-adds per cycle that take four cycles each need eight vectors in
/// flight: 8 blocks x 1 vector with AVX-512, 4 x 2 with AVX2.
inline constexpr int linear_blocks = vector_width >= 16 ? 8 : vector_width >= 8 ? 4 : 2;

/// Winograd tiles of a register tile whose filters are transformed in registers, and whether there are enough of those:
/// not with 16, where a point that is formed serves too few products. Zen 4, 2026-11-25, `scripts/bench layers`.
inline constexpr int filter_tiles = 4;
#if defined(__AVX512F__)
inline constexpr bool allows_plain_filters = true;
#else
inline constexpr bool allows_plain_filters = false;
#endif

/// Bytes of caches that a step may count on next to what else it touches: shares of 1 MB of second-level cache and of a
/// core's part of the last level. Powers of two were tried on Zen 4 and Zen 3 with `scripts/bench network`.
struct CacheShare {
    /// A value that stays in the second level until it is read; larger ones are chained. 2026-11-24.
    static constexpr long value = 768 << 10;
    /// Rows of a strip between two convolutions, and before a pooling, which reads some rows twice. 2026-11-24, 26.
    static constexpr long conv_strip = 128 << 10, pool_strip = 256 << 10;
    /// Weights that stay in the cache while tiles pass by. 2026-11-26.
    static constexpr long resident_weights = 512 << 10;
    /// Sources of a chunk of tiles: in the first level (32 KB), or where weights are streamed, as large as the second
    /// level allows, so that they are streamed less often. 2026-11-25.
    static constexpr long chunk = 32 << 10, streamed_chunk = 512 << 10;
    /// Weights of a pair of panels beside the sums of pixels (Strassen); with more, several pairs of panels are
    /// computed product by product. 2026-11-25.
    static constexpr long strassen_pair = 256 << 10;
    /// The same of integers: operands of pairs of tiles beside their source and the weights of a pair of panels. Zen 4,
    /// AVX2, 2026-12-01: 512 KB took 3 % longer.
    static constexpr long integer_strassen_chunk = 128 << 10;
    /// Winograd: transformed weights that stay, a strip of tiles beside them, a strip where weights are streamed, for
    /// single images and for batches, and a strip beside the plain filters of a panel. 2026-11-24, 25.
    static constexpr long winograd_weights = 768 << 10, winograd_strip = 256 << 10, winograd_streamed_strip = 1 << 20,
                          winograd_batch_strip = 4 << 20, plain_filter_strip = 640 << 10;
    /// Gradients of weights: pixels that all tiles pass over (last level), transformed tiles of a part (second level).
    /// 2026-11-26, `scripts/bench train`. These decide the order of sums, and so bits: the same on every machine.
    static constexpr long gradient_pixels = 4 << 20, gradient_tiles = 512 << 10;
};

/// Rates of one core in cycles, for the choice of an algorithm. Zen 4, by processor time of single steps.
struct Rates {
    /// Multiply-adds: half of what the registers allow with AVX-512, as transforms and loads take the rest. 2026-11-24.
    static constexpr double products_per_cycle = 16;
    /// Weights from memory: 6 bytes at 3.7 GHz are 22 GB/s, what one core of a busy machine gets. 2026-11-24.
    static constexpr double streamed_bytes_per_cycle = 6;
    /// The overhead of a register tile's beginning and end, in pixels; plain, and for Winograd's tiles. 2026-11-24.
    static constexpr int tile_overhead_pixels = 3;
    static constexpr double winograd_tile_overhead = 2.5;
    /// Winograd's transforms of a channel of a tile, in multiply-adds: F(4x4) and F(2x2), in and out. 2026-11-24.
    static constexpr double transform_in_4 = 220, transform_out_4 = 180, transform_in_2 = 90, transform_out_2 = 70;
    /// What the 36 products of F(4x4) cost where a filter is transformed for every four tiles. 2026-11-25.
    static constexpr double plain_filter_products = 46;
    /// A transform in a weight gradient, in multiply-adds. 2026-11-26, `scripts/bench train`.
    static constexpr double gradient_transform = 200;
    /// Strassen: a float of sums of pixels, computed once, and of sums of products, which pass through the first-level
    /// cache once for each panel. 2026-11-25.
    static constexpr double strassen_combined_float = 0.27, strassen_passed_float = 0.45;
    /// What a plain sum in bfloat16 takes of its time in floats, where a convolution of a training iteration would be
    /// by Winograd in floats. 2026-12-01, `scripts/bench train`. The same on every machine, as it decides what is
    /// rounded.
    static constexpr double bfloat16_share = 0.42;
    /// An algorithm with transforms is taken if its estimate is below this share of a plain sum's. 2026-11-25.
    static constexpr double winograd_gain = 0.9, strassen_gain = 0.98;
    /// The smallest depth at which Strassen pays for its overhead: with AVX2's small tiles, convolutions of 64 and 128
    /// channels lost up to a fifth (Zen 3, 2026-11-26).
    static constexpr int strassen_depth = vector_width == channel_block ? 64 : 256;
    /// The same for integers. Zen 4, AVX2, 2026-12-01.
    static constexpr int integer_strassen_depth = 256;
};

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::cpu
