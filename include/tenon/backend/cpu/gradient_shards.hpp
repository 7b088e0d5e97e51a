// Shards of a batch: images whose part of a weight gradient is summed up apart from the others', close to one core.
#pragma once

#include <algorithm>
#include <numeric>

#include <tenon/backend/cpu/step.hpp>
#include <tenon/backend/cpu/tile.hpp>

namespace tenon {

/// Shards of a batch, for so many sums, those of whole blocks of channels: few where the sums are many. A function of
/// the shapes alone.
constexpr int most_gradient_shards(long sums) {
    int shards = 8;
    while (shards > 1 && shards * sums > (1L << 20)) shards /= 2;
    return shards;
}

inline namespace TENON_ISA_NAMESPACE {

/// What a planned weight gradient sums up: products at Winograd's points or of plain depth, of whole blocks of
/// channels.
struct GradientSums {
    long count = 0;
    long floats = 0;  ///< that they take, in panels

    constexpr explicit GradientSums(const Step& step) {
        const long planes = step.target.planes(), panels = (planes + panel_blocks - 1) / panel_blocks;
        const bool winograd = step.winograd.m > 0;
        const long depth = winograd ? static_cast<long>(step.winograd.points()) * step.source().planes() * block
                                    : step.panel_floats / (panel_blocks * block);
        count = depth * planes * block;
        floats = depth * panels * panel_blocks * block;
    }
    /// Of all shards of a large batch.
    constexpr long most_floats() const { return most_gradient_shards(count) * floats; }
};

/// How ranks work on shards: a rank on some of its own, with the images that it works on in other steps as well, or,
/// where ranks are many or shards few, several on one.
struct GradientShards {
    int count = 1;    ///< shards
    int parts = 1;    ///< of a shard's work, for a rank each
    int images = 0;   ///< of the batch
    long floats = 0;  ///< that a shard's sums take

    GradientShards(const GradientSums& sums, int batch, int ranks)
        : count{std::min(most_gradient_shards(sums.count), batch)}, images{batch}, floats{sums.floats} {
        if (count < 2 * ranks) parts = ranks / std::gcd(count, ranks);
    }

    Range images_of(int shard) const { return share(images, shard, count); }

    /// Adds the sums of all shards, in their order, to those of the first: floats [begin, begin + size).
    void add_up(float* sums, long begin, long size) const {
        for (int shard = 1; shard < count; ++shard) {
            const float* const from = sums + shard * floats + begin;
            for (long i = 0; i < size; i += lanes) store(sums + begin + i, add(load(sums + begin + i), load(from + i)));
        }
    }
};

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon
