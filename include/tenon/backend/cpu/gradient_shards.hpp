// Shards of a batch: images whose part of a weight gradient is summed up apart from the others', close to one core.
#pragma once

#include <algorithm>
#include <numeric>

#include <tenon/backend/cpu/simd.hpp>
#include <tenon/backend/cpu/team.hpp>

namespace tenon {

/// Shards of a batch, for so many sums, those of whole blocks of channels: few where the sums are many. A function of
/// the shapes alone, so that results depend neither on the threads nor on the instruction set.
constexpr int most_gradient_shards(long sums) {
    int shards = 8;
    while (shards > 1 && shards * sums > (1L << 20)) shards /= 2;
    return shards;
}

inline namespace TENON_ISA_NAMESPACE {

/// How ranks work on shards: a rank on some of its own, with the images that it works on in other steps as well, or,
/// where ranks are many or shards few, several on one.
struct GradientShards {
    int count = 1;    ///< shards
    int parts = 1;    ///< of a shard's work, for a rank each
    int images = 0;   ///< of the batch
    long floats = 0;  ///< that a shard's sums take

    GradientShards(long sums, long sums_floats, int batch, int ranks)
        : count{std::min(most_gradient_shards(sums), batch)}, images{batch}, floats{sums_floats} {
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
