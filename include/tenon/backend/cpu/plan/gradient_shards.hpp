#pragma once
// IWYU pragma: private, include <tenon/training.hpp>

// Shards of a batch: groups of images whose weight gradients are summed up separately, each close to one core.

#include <algorithm>
#include <numeric>

#include <tenon/backend/cpu/layout/step.hpp>
#include <tenon/backend/cpu/machine.hpp>

namespace tenon::cpu {

/// The number of shards for a gradient of `sums` floats (padded to complete channel blocks): at most 8, and at most 4
/// MB in all unless it is one. Depends on the shapes alone, so that the order of sums is the same for any number of
/// threads.
///
/// Examples: 3x3, 64 -> 64 channels: 36,864 sums -> 8; 3x3, 256 -> 256: 589,824 -> 1.
constexpr int max_gradient_shards(long sums) {
    int shards = 8;
    while (shards > 1 && shards * sums > (1L << 20)) shards /= 2;
    return shards;
}

inline namespace TENON_ISA_NAMESPACE {

/// The sums of a planned weight gradient: one per weight, or with Winograd one per point and pair of channels, padded
/// to complete channel blocks.
struct GradientSums {
    long count = 0;
    long floats = 0;  ///< memory for the sums, padded to complete panels

    constexpr explicit GradientSums(const Step& step) {
        const long planes = step.target.planes(), panels = (planes + panel_blocks - 1) / panel_blocks;
        const bool winograd = step.winograd.m > 0;
        const long depth = winograd ? long{step.winograd.points()} * step.source().planes() * channel_block
                                    : step.panel_floats / (panel_blocks * channel_block);
        count = depth * planes * channel_block;
        floats = depth * panels * panel_blocks * channel_block;
    }
    /// Memory for all shards of a large batch, in floats.
    constexpr long max_floats() const { return max_gradient_shards(count) * floats; }
};

/// How workers divide the shards: each worker takes shards of its own, with the images that it takes in other steps
/// too, or, where there are many workers or few shards, several workers take parts of one shard.
///
/// Example, 8 shards of a batch of 32 (4 images each): 4 workers -> parts = 1, two shards per worker; 16 workers ->
/// parts = 2, each worker half of a shard's sums; 12 workers -> parts = 12 / gcd(8, 12) = 3, so that 8 x 3 = 24 parts
/// of work are 2 for each.
struct GradientShards {
    int count = 1;    ///< shards
    int parts = 1;    ///< that the work of one shard is cut into
    int images = 0;   ///< in the batch
    long floats = 0;  ///< memory for the sums of one shard

    GradientShards(const GradientSums& sums, int batch, int workers)
        : count{std::min(max_gradient_shards(sums.count), batch)}, images{batch}, floats{sums.floats} {
        if (count < 2 * workers) parts = workers / std::gcd(count, workers);
    }

    Range images_of(int shard) const { return share(images, shard, count); }

    /// Adds the sums of all shards, in order, to those of the first: floats [begin, begin + size).
    void add_up(float* sums, long begin, long size) const {
        for (int shard = 1; shard < count; ++shard) {
            const float* const from = sums + shard * floats + begin;
            for (long i = 0; i < size; i += vector_width)
                store(sums + begin + i, add(load(sums + begin + i), load(from + i)));
        }
    }
};

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::cpu
