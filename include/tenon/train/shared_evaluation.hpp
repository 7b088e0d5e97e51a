#pragma once
// IWYU pragma: private, include <tenon/training.hpp>

// The evaluation of a batch by several processes: each judges its own images, all count all of them.

#include <algorithm>
#include <cstddef>
#include <span>
#include <vector>

#include <tenon/core/index.hpp>
#include <tenon/distributed/world.hpp>
#include <tenon/train/batch_shares.hpp>
#include <tenon/train/metrics.hpp>

namespace tenon::detail {
inline namespace TENON_ISA_NAMESPACE {

/// The images of a batch that belong to this rank; `whole` says how many all have. Throws tenon::Error when the batch
/// does not hold them.
inline Batch own_part(const Batch& batch, distributed::World world, long elements) {
    const Batch share = checked_share(batch, world, elements);
    return part_of(share, share.whole * world.rank() / world.size(), share.whole * (world.rank() + 1) / world.size(),
                   elements);
}

/// The images of a batch that this rank has judged.
///
/// Law: no image is counted twice and none is left out, and the sums are those of one process to the bit, since all
/// ranks add the images in the order of the batch (test: tests/distributed/distributed_test.cpp).
class SharedEvaluation {
public:
    void clear() { mine_.assign(1, {}); }
    void add(const JudgedImage& image) { mine_.push_back(image); }

    /// Adds the images of all ranks to `metrics`. Returns whether all ranks want to go on. Called by all ranks.
    bool give_to(Metrics& metrics, distributed::World world, long whole, bool goes_on) {
        const auto ranks = index(world.size());
        const std::size_t room = 1 + (index(whole) + ranks - 1) / ranks;
        // The first entry says how many follow, and whether to go on.
        mine_.front().label = static_cast<int>(mine_.size()) - 1;
        mine_.front().predicted = goes_on ? 1 : 0;
        mine_.resize(room);
        all_.resize(room * ranks);
        world.all_gather(std::span<const JudgedImage>(mine_), std::span<JudgedImage>(all_));
        bool all_go_on = true;
        for (std::size_t rank = 0; rank < ranks; ++rank) {
            const auto images = std::span<const JudgedImage>(all_).subspan(rank * room, room);
            all_go_on = all_go_on && images.front().predicted != 0;
            for (const JudgedImage& image : images.subspan(1, index(images.front().label))) metrics.add(image);
        }
        return all_go_on;
    }

private:
    std::vector<JudgedImage> mine_, all_;
};

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::detail
