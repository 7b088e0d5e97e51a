#pragma once
// IWYU pragma: private, include <tenon/distributed.hpp>

// TreeSum: the sum of one vector per shard, in an order that does not depend on who has which shard.

#include <algorithm>
#include <bit>
#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include <tenon/core/buffer.hpp>
#include <tenon/core/index.hpp>
#include <tenon/distributed/world.hpp>

namespace tenon::detail {
inline namespace TENON_ISA_NAMESPACE {

/// A node of the binary tree over all shards: the sum of the 2^level shards from `first` on.
struct TreeNode {
    int first = 0, level = 0;
    float* sum = nullptr;
};

/// Adds the right-most node to a row of nodes, and joins pairs of siblings, `join(left, right)`, as long as there are
/// any: 0, 1, 2 -> 01, 2; and with 3 -> 0123.
template <class Join>
void push_node(std::vector<TreeNode>& row, TreeNode node, const Join& join) {
    row.push_back(node);
    while (row.size() > 1) {
        TreeNode& left = row[row.size() - 2];
        const TreeNode right = row.back();
        if (left.level != right.level || (left.first >> left.level) % 2 != 0) return;
        join(left, right);
        ++left.level;
        row.pop_back();
    }
}

/// Sums vectors of floats over `shards` shards, of which each rank has as many, in order: rank r those from
/// r * shards / ranks on. A rank gives the vectors of its shards one after another, by filling leaf() and calling
/// add(); finish() gives all ranks the sum.
///
/// The sum is that of a binary tree over all shards: neighbors 0 and 1, 2 and 3, ..., then 01 and 23, ...; where the
/// number of shards is no power of two, what remains is added from the right. A rank can make all sums whose shards it
/// has alone; the rest is made once for each element, by one of the ranks: it gets a slice of everyone's sums and sends
/// the result to all. This moves as few bytes as a ring, 2 (ranks - 1) / ranks of the vector per rank each way.
///
/// Law: the same bits for any number of ranks (test: tests/distributed/distributed_test.cpp). All memory is allocated
/// by the constructor.
class TreeSum {
public:
    /// Throws tenon::Error unless the number of ranks divides the number of shards.
    TreeSum(distributed::World world, int shards, std::size_t length)
        : world_{world}, shards_{shards}, length_{length}, rows_{rows_of(world, shards)} {
        const std::vector<TreeNode>& mine = rows_[index(world.rank())];
        std::size_t most = 0;
        for (const auto& row : rows_) most = std::max(most, row.size());
        sent_nodes_ = most;
        // The most nodes that a rank has at once: one per level, twice if they are not aligned, and a leaf.
        const std::size_t buffers = 2 * index(std::bit_width(static_cast<unsigned>(shards / world.size()))) + 1;
        for (std::size_t i = 0; i < buffers; ++i) free_.push_back(buffers_.emplace_back(length).data());
        row_.reserve(buffers + 1);
        joined_.reserve(mine.size() * rows_.size() + index(shards));
        if (world.size() > 1) {
            const std::size_t ranks = rows_.size();
            slice_ = std::max<std::size_t>(1, (std::min(length, segment_floats) + ranks - 1) / ranks);
            sent_ = Buffer<float>(ranks * most * slice_);
            received_ = Buffer<float>(ranks * most * slice_);
            result_ = Buffer<float>(ranks * slice_);
        }
    }

    /// Where the vector of this rank's next shard goes.
    std::span<float> leaf() { return {free_.back(), length_}; }

    /// Adds leaf() to the sum. `run(function)` calls function(worker, workers) on each of some threads.
    template <class Run>
    void add(const Run& run) {
        const TreeNode node{first_shard(world_, shards_) + added_++, 0, free_.back()};
        free_.pop_back();
        push_node(row_, node, [&](const TreeNode& left, const TreeNode& right) {
            run([&](int worker, int workers) { add_share(left.sum, right.sum, length_, worker, workers); });
            free_.push_back(right.sum);
        });
    }

    /// Writes the sum over the shards of all ranks, and begins the next sum. Called by all ranks, once each has added
    /// its shards.
    template <class Run>
    void finish(std::span<float> result, const Run& run) {
        if (world_.size() == 1) {
            fold(row_, [&](const TreeNode& left, const TreeNode& right) {
                run([&](int worker, int workers) { add_share(left.sum, right.sum, length_, worker, workers); });
            });
            std::copy_n(row_.front().sum, length_, result.begin());
        } else {
            const std::size_t segment = slice_ * rows_.size();
            for (std::size_t begin = 0; begin < length_; begin += segment)
                exchange(begin, std::min(segment, length_ - begin), result);
        }
        free_.clear();
        for (auto& buffer : buffers_) free_.push_back(buffer.data());
        row_.clear();
        added_ = 0;
    }

    /// The first of a rank's shards.
    static int first_shard(distributed::World world, int shards) { return first_shard(world, shards, world.rank()); }
    static int first_shard(distributed::World world, int shards, int rank) { return shards / world.size() * rank; }

private:
    /// Bytes that are exchanged at once, so that the memory for it is bounded: 16 MiB.
    static constexpr std::size_t segment_floats = std::size_t{4} << 20;

    /// The nodes that each rank can make of its own shards.
    static std::vector<std::vector<TreeNode>> rows_of(distributed::World world, int shards) {
        if (shards < 1 || shards % world.size() != 0)
            throw Error("expected a number of shards that " + std::to_string(world.size()) +
                        " processes can share equally, found " + std::to_string(shards));
        std::vector<std::vector<TreeNode>> rows(index(world.size()));
        for (int rank = 0; rank < world.size(); ++rank)
            for (int shard = 0; shard < shards / world.size(); ++shard)
                push_node(rows[index(rank)], {first_shard(world, shards, rank) + shard, 0, nullptr},
                          [](const TreeNode&, const TreeNode&) {});
        return rows;
    }
    static void add_share(float* left, const float* right, std::size_t length, int worker, int workers) {
        const auto at = [&](int part) { return length * index(part) / index(workers); };
        for (std::size_t i = at(worker); i < at(worker + 1); ++i) left[i] += right[i];
    }
    /// Joins the nodes that remain when all shards are there, from the right.
    template <class Join>
    static void fold(std::vector<TreeNode>& row, const Join& join) {
        for (; row.size() > 1; row.pop_back()) join(row[row.size() - 2], row.back());
    }

    /// Sums the elements from `begin` on: slice i of them is summed by rank i.
    void exchange(std::size_t begin, std::size_t count, std::span<float> result) {
        const std::size_t ranks = rows_.size();
        for (std::size_t to = 0; to < ranks; ++to)
            for (std::size_t node = 0; node < row_.size(); ++node) {
                const std::size_t from = std::min(to * slice_, count), size = std::min(slice_, count - from);
                std::copy_n(row_[node].sum + begin + from, size, sent_.data() + (to * sent_nodes_ + node) * slice_);
            }
        world_.all_to_all(std::span<const float>(sent_), std::span<float>(received_));
        joined_.clear();
        const auto join = [&](const TreeNode& left, const TreeNode& right) {
            add_share(left.sum, right.sum, slice_, 0, 1);
        };
        for (std::size_t rank = 0; rank < ranks; ++rank)
            for (std::size_t node = 0; node < rows_[rank].size(); ++node) {
                TreeNode next = rows_[rank][node];
                next.sum = received_.data() + (rank * sent_nodes_ + node) * slice_;
                push_node(joined_, next, join);
            }
        fold(joined_, join);
        world_.all_gather(std::span<const float>(joined_.front().sum, slice_), std::span<float>(result_));
        std::copy_n(result_.data(), count, result.begin() + static_cast<std::ptrdiff_t>(begin));
    }

    distributed::World world_;
    int shards_;
    std::size_t length_;
    std::vector<std::vector<TreeNode>> rows_;
    std::size_t sent_nodes_ = 0, slice_ = 0;
    std::vector<Buffer<float>> buffers_;
    std::vector<float*> free_;
    std::vector<TreeNode> row_, joined_;
    int added_ = 0;
    Buffer<float> sent_, received_, result_;
};

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::detail
