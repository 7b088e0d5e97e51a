#pragma once
// IWYU pragma: private, include <tenon/distributed.hpp>

// TreeSum: the sum of one vector per shard, in an order that does not depend on who has which shard.

#include <algorithm>
#include <array>
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

/// Calls f(to[i], from[i]) for all i. Vectorized also where a compiler looks for little: blocks of a fixed length, of
/// arrays that don't overlap.
template <class F>
void for_pairs(float* __restrict to, const float* __restrict from, std::size_t count, const F& f) {
    constexpr std::size_t block = 16;
    std::size_t i = 0;
    for (; i + block <= count; i += block)
        for (std::size_t k = 0; k < block; ++k) f(to[i + k], from[i + k]);
    for (; i < count; ++i) f(to[i], from[i]);
}
inline void add_values(float* left, const float* right, std::size_t count) {
    for_pairs(left, right, count, [](float& a, float b) { a += b; });
}
inline void scale_values(float* to, const float* from, float factor, std::size_t count) {
    for_pairs(to, from, count, [factor](float& a, float b) { a = b * factor; });
}
inline void divide_values(float* to, const float* from, float divisor, std::size_t count) {
    for_pairs(to, from, count, [divisor](float& a, float b) { a = b / divisor; });
}

/// Sums vectors of floats over `shards` shards, of which each rank has as many, in order: rank r those from
/// r * shards / ranks on. A rank gives the vectors of its shards one after another, to add() and the last one to
/// finish(), which gives all ranks the sum.
///
/// The sum is that of a binary tree over all shards: neighbors 0 and 1, 2 and 3, ..., then 01 and 23, ...; where the
/// number of shards is no power of two, what remains is added from the right. A rank can make all sums whose shards it
/// has alone; the rest is made once for each element, by one of the ranks: it gets a slice of everyone's sums and sends
/// the result to all. This moves as few bytes as a ring, 2 (ranks - 1) / ranks of the vector per rank each way.
///
/// Passes through memory cost more than additions. So the last shard's vector is read from where it is and replaced by
/// the sum there, and what is done with it is done to pieces that stay in a cache from one end to the other.
///
/// Law: the same bits for any number of ranks (test: tests/distributed/distributed_test.cpp). All memory is allocated
/// by the constructor.
class TreeSum {
public:
    /// Throws tenon::Error unless the number of ranks divides the number of shards.
    TreeSum(distributed::World world, int shards, std::size_t length)
        : world_{world}, shards_{shards}, length_{length} {
        const std::vector<std::vector<TreeNode>> rows = rows_of(world, shards);
        for (const auto& row : rows) sent_nodes_ = std::max(sent_nodes_, row.size());
        const auto local = index(shards / world.size());
        // The most nodes that a rank has at once before its last shard: one per level, twice if they are not aligned.
        const std::size_t buffers = std::min(local - 1, 2 * index(std::bit_width(local)) + 1);
        for (std::size_t i = 0; i < buffers; ++i) free_.push_back(buffers_.emplace_back(length).data());
        row_.reserve(local + 1);
        joins_.reserve(local);
        if (world.size() == 1) return;
        const auto ranks = index(world.size());
        slice_ = std::max<std::size_t>(1, std::min({(length + ranks - 1) / ranks, max_slice, max_segment / ranks}));
        sent_ = Buffer<float>(ranks * sent_nodes_ * slice_);
        received_ = Buffer<float>(ranks * sent_nodes_ * slice_);
        result_ = Buffer<float>(ranks * slice_);
        plan_merges(rows);
    }

    /// Adds `factor` * `values` as the vector of this rank's next shard, which is not its last. `run(function)` calls
    /// function(worker, workers) on each of some threads.
    template <class Run>
    void add(std::span<const float> values, float factor, const Run& run) {
        float* const leaf = free_.back();
        free_.pop_back();
        push(leaf);
        run([&](int worker, int workers) {
            for_chunks(length_, worker, workers, [&](std::size_t at, std::size_t count) {
                scale_values(leaf + at, values.data() + at, factor, count);
                for (const auto& [left, right] : joins_) add_values(left + at, right + at, count);
            });
        });
        for (const auto& join : joins_) free_.push_back(join.right);
    }

    /// Writes the sum over the shards of all ranks, divided by `divisor`, to `result`, and begins the next sum. The
    /// vector of this rank's last shard is `factor` * `values`, which may be `result`. Called by all ranks.
    template <class Run>
    void finish(std::span<const float> values, float factor, float divisor, std::span<float> result, const Run& run) {
        push(nullptr);
        if (world_.size() == 1) {
            for (; row_.size() > 1; row_.pop_back()) joins_.push_back({row_[row_.size() - 2].sum, row_.back().sum});
            run([&](int worker, int workers) {
                for_chunks(length_, worker, workers, [&](std::size_t at, std::size_t count) {
                    Chunk last;
                    scale_values(last.data(), values.data() + at, factor, count);
                    join_chunk(last.data(), at, count);
                    const float* const sum = row_.front().sum;
                    divide_values(result.data() + at, sum ? sum + at : last.data(), divisor, count);
                });
            });
        } else {
            const std::size_t segment = slice_ * index(world_.size());
            for (std::size_t begin = 0; begin < length_; begin += segment)
                exchange(begin, std::min(segment, length_ - begin), values, factor, divisor, result, run);
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
    /// Floats of a message, and of all messages of an exchange. 256 KiB: what two ranks send, receive and add stays in
    /// their caches, and the time on the way is 8 times that of the message before it at 10 Gbit/s (30 us).
    static constexpr std::size_t max_slice = std::size_t{64} << 10, max_segment = std::size_t{4} << 20;
    /// Floats that a thread works on at once, in its own cache.
    static constexpr std::size_t chunk = 4096;
    using Chunk = std::array<float, chunk>;
    /// A pair of sums of which the left one becomes that of both; a right one that is null is the last shard's vector.
    struct Pair {
        float *left, *right;
    };

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

    /// Lists the additions that join what is received: of all ranks' nodes as if they came one after another, and of
    /// what remains from the right.
    void plan_merges(const std::vector<std::vector<TreeNode>>& rows) {
        std::vector<TreeNode> joined;
        const auto join = [&](const TreeNode& left, const TreeNode& right) {
            merges_.push_back({left.sum, right.sum});
        };
        for (std::size_t rank = 0; rank < rows.size(); ++rank)
            for (std::size_t node = 0; node < rows[rank].size(); ++node) {
                TreeNode next = rows[rank][node];
                // What a rank sends to itself is not moved.
                auto& buffer = static_cast<int>(rank) == world_.rank() ? sent_ : received_;
                next.sum = buffer.data() + place(rank, node);
                push_node(joined, next, join);
            }
        for (; joined.size() > 1; joined.pop_back()) join(joined[joined.size() - 2], joined.back());
        first_ = joined.front().sum;
    }

    /// Calls f(at, count) for the chunks of a worker's share of `length` elements.
    template <class F>
    static void for_chunks(std::size_t length, int worker, int workers, const F& f) {
        const auto share = [&](int part) { return length * index(part) / index(workers); };
        const std::size_t end = share(worker + 1);
        for (std::size_t at = share(worker); at < end; at += chunk) f(at, std::min(chunk, end - at));
    }

    /// Puts a leaf into this rank's row, and lists what to join.
    void push(float* leaf) {
        joins_.clear();
        push_node(row_, {first_shard(world_, shards_) + added_++, 0, leaf},
                  [&](const TreeNode& left, const TreeNode& right) {
                      joins_.push_back({left.sum, right.sum});
                  });
    }
    void join_chunk(const float* last, std::size_t at, std::size_t count) const {
        for (const auto& [left, right] : joins_) add_values(left + at, right ? right + at : last, count);
    }

    /// Sums the elements from `begin` on: slice i of them is summed by rank i.
    template <class Run>
    void exchange(std::size_t begin, std::size_t size, std::span<const float> values, float factor, float divisor,
                  std::span<float> result, const Run& run) {
        const auto ranks = index(world_.size());
        run([&](int worker, int workers) {
            for (std::size_t to = 0; to < ranks; ++to) {
                const std::size_t first = std::min(to * slice_, size);
                for_chunks(std::min(slice_, size - first), worker, workers, [&](std::size_t at, std::size_t count) {
                    const std::size_t from = begin + first + at;
                    const auto sent = [&](std::size_t node) { return sent_.data() + place(to, node) + at; };
                    Chunk joined;
                    float* const last = row_.back().sum ? joined.data() : sent(row_.size() - 1);
                    scale_values(last, values.data() + from, factor, count);
                    join_chunk(last, from, count);
                    for (std::size_t node = 0; node < row_.size(); ++node)
                        if (row_[node].sum) std::copy_n(row_[node].sum + from, count, sent(node));
                });
            }
        });
        world_.all_to_all(std::span<const float>(sent_), std::span<float>(received_));
        // The means are computed where this rank's part of the result is; a last, shorter one is gathered elsewhere.
        const bool is_full = size == ranks * slice_;
        const std::span<float> all = is_full ? result.subspan(begin, size) : std::span<float>(result_);
        const std::span<float> mine = all.subspan(index(world_.rank()) * slice_, slice_);
        run([&](int worker, int workers) {
            for_chunks(slice_, worker, workers, [&](std::size_t at, std::size_t count) {
                for (const auto& [left, right] : merges_) add_values(left + at, right + at, count);
                divide_values(mine.data() + at, first_ + at, divisor, count);
            });
        });
        world_.all_gather(std::span<const float>(mine), all);
        if (!is_full) std::copy_n(all.begin(), size, result.begin() + static_cast<std::ptrdiff_t>(begin));
    }
    /// Where the slice of a node that goes to a rank, or comes from it, is.
    std::size_t place(std::size_t rank, std::size_t node) const { return (rank * sent_nodes_ + node) * slice_; }

    distributed::World world_;
    int shards_;
    std::size_t length_;
    std::size_t sent_nodes_ = 0, slice_ = 0;
    std::vector<Buffer<float>> buffers_;
    std::vector<float*> free_;
    std::vector<TreeNode> row_;
    std::vector<Pair> joins_, merges_;
    const float* first_ = nullptr;  ///< where merges_ end: the sum of all
    int added_ = 0;
    Buffer<float> sent_, received_, result_;
};

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::detail
