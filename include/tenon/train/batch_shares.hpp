#pragma once
// IWYU pragma: private, include <tenon/training.hpp>

// How a batch is divided into shards, and these among processes.

#include <string>

#include <tenon/core/error.hpp>
#include <tenon/core/index.hpp>
#include <tenon/data/batch.hpp>
#include <tenon/distributed/world.hpp>

namespace tenon::detail {
inline namespace TENON_ISA_NAMESPACE {

/// How an iteration is divided.
struct ShardOptions {
    distributed::World world{};
    int shards = 1;
    int accumulate = 1;
    bool are_used() const { return world.size() > 1 || shards > 1 || accumulate > 1; }
};

/// The images of a batch from `first` to `end`, of all ranks' images.
inline Batch part_of(const Batch& batch, long first, long end, long elements) {
    const long images = std::ssize(batch.images) / elements;
    const long classes = images > 0 ? std::ssize(batch.targets) / images : 0;
    const auto cut = [&](auto values, long scalars) {
        return values.empty() ? values
                              : values.subspan(index((first - batch.first) * scalars), index((end - first) * scalars));
    };
    Batch part{cut(batch.images, elements), cut(batch.labels, 1), cut(batch.targets, classes)};
    part.first = first;
    part.whole = batch.whole;
    return part;
}

/// A batch with `whole` filled in. Throws tenon::Error unless it holds the images of a rank.
inline Batch checked_share(Batch batch, distributed::World world, long elements) {
    const long images = std::ssize(batch.images) / elements;
    if (batch.whole == 0) batch.whole = images;
    const long first = batch.whole * world.rank() / world.size(), end = batch.whole * (world.rank() + 1) / world.size();
    if (batch.first > first || batch.first + images < end)
        throw Error("expected images " + std::to_string(first) + " to " + std::to_string(end) + " of a batch of " +
                    std::to_string(batch.whole) + " for " + world.name() + ", found " + std::to_string(batch.first) +
                    " to " + std::to_string(batch.first + images) + "; was the loader sharded for this world?");
    return batch;
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::detail
