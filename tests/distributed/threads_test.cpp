// Ranks that are threads, and the sums that they make: to the bit, and without a data race (the program is also
// compiled with ThreadSanitizer, which sees all of it: oneTBB is not used here).
#include <algorithm>
#include <atomic>
#include <bit>
#include <cmath>
#include <cstring>
#include <numeric>
#include <vector>

#include <doctest/doctest.h>

#include <tenon/core/random.hpp>
#include <tenon/distributed.hpp>

#include "../support.hpp"

namespace {
using namespace tenon;
using tenon_test::contains;
using tenon_test::error_of;

/// The tree's sum by its definition: halves whose size is the largest power of two below the number of shards.
float sum_of_tree(std::span<const float> shards) {
    if (shards.size() == 1) return shards[0];
    const std::size_t left = std::bit_floor(shards.size() - 1);
    return sum_of_tree(shards.first(left)) + sum_of_tree(shards.subspan(left));
}

constexpr float factor = 3, divisor = 7;

float value_of(std::size_t shard, std::size_t i) {
    const auto bits = detail::random_bits(7, shard, i);
    return static_cast<float>(detail::uniform(bits, -1, 1) * std::pow(10.0, static_cast<double>(bits % 7)));
}

template <int ranks>
void check_sums(int shards, std::size_t length = 1003) {
    if (shards % ranks != 0) return;
    CAPTURE(ranks);
    CAPTURE(shards);
    std::vector<float> expected, values(static_cast<std::size_t>(shards));
    for (std::size_t i = 0; i < length; ++i) {
        for (std::size_t s = 0; s < values.size(); ++s) values[s] = value_of(s, i) * factor;
        expected.push_back(sum_of_tree(values) / divisor);
    }
    std::atomic<int> equal = 0;
    distributed::Threads<ranks>{}.run([&](auto& world) {
        detail::TreeSum sum{world, shards, length};
        const auto workers = [](const auto& function) {
            for (const int worker : {2, 0, 1}) function(worker, 3);
        };
        std::vector<float> found(length);
        for (int round = 0; round < 2; ++round) {
            const int local = shards / ranks;
            for (int s = 0; s < local; ++s) {
                const auto shard = static_cast<std::size_t>(local * world.rank() + s);
                for (std::size_t i = 0; i < length; ++i) found[i] = value_of(shard, i);
                if (s + 1 < local) sum.add(found, factor, workers);
            }
            sum.finish(found, factor, divisor, found, workers);
            if (std::memcmp(found.data(), expected.data(), length * sizeof(float)) == 0) ++equal;
        }
    });
    CHECK(equal == 2 * ranks);
}

TEST_CASE("a sum has the same bits for any number of ranks that share the shards") {
    for (const int shards : {1, 2, 3, 4, 5, 6, 7, 8, 12, 16, 24}) {
        check_sums<1>(shards);
        check_sums<2>(shards);
        check_sums<3>(shards);
        check_sums<4>(shards);
        check_sums<8>(shards);
    }
    check_sums<2>(6, 150'001);  // in several messages, the last ones shorter
    CHECK(contains(error_of([] { detail::TreeSum({}, 0, 1); }),
                   "expected a number of shards that 1 processes can share equally, found 0"));
}

TEST_CASE("ranks get each other's bytes") {
    constexpr int ranks = 4;
    distributed::Threads<ranks> threads;
    std::atomic<int> equal = 0;
    threads.run([&](auto& rank) {
        const distributed::World world = rank;
        for (int round = 0; round < 20; ++round) {
            std::vector<int> mine(ranks), all(ranks * ranks), first{world.rank() + round};
            std::iota(mine.begin(), mine.end(), 100 * world.rank() + round);
            world.all_gather(std::span<const int>(mine), std::span<int>(all));
            bool good = true;
            for (int from = 0; from < ranks; ++from)
                for (int i = 0; i < ranks; ++i)
                    good &= all[static_cast<std::size_t>(from * ranks + i)] == 100 * from + round + i;
            std::vector<int> received(ranks);
            world.all_to_all(std::span<const int>(mine), std::span<int>(received));
            for (int from = 0; from < ranks; ++from)
                good &= received[static_cast<std::size_t>(from)] == 100 * from + round + world.rank();
            std::vector<int> ranks_of_all(ranks);
            const auto own = static_cast<std::size_t>(world.rank());
            ranks_of_all[own] = world.rank();
            world.all_gather(std::span<const int>(ranks_of_all).subspan(own, 1), std::span<int>(ranks_of_all));
            for (int from = 0; from < ranks; ++from) good &= ranks_of_all[static_cast<std::size_t>(from)] == from;
            world.broadcast(std::span<int>(first), round % ranks);
            good &= first[0] == round % ranks + round;
            mine.assign(mine.size(), -1);  // what has been sent may be written to again
            if (good) ++equal;
        }
    });
    CHECK(equal == 20 * ranks);
}

TEST_CASE("a rank that throws ends the waiting of the others") {
    std::atomic<int> ended = 0;
    const std::string error = error_of([&] {
        distributed::Threads<4>{}.run([&](auto& world) {
            if (world.rank() == 2) throw Error("the disk is full");
            const std::string of_others = error_of([&] { world.barrier(); });
            if (of_others == "rank 2 of 4 failed: the disk is full") ++ended;
        });
    });
    CHECK(error == "the disk is full");
    CHECK(ended == 3);
}

}  // namespace
