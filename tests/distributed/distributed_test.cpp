// Several ranks, here threads, do together what one does alone: sums, training, evaluation, checkpoints to the bit; and
// what one of them can't do ends all.
#include <atomic>
#include <bit>
#include <cmath>
#include <cstring>

#include <doctest/doctest.h>

#include <tenon/data/augment/flip.hpp>
#include <tenon/data/loader.hpp>
#include <tenon/data/pipeline.hpp>
#include <tenon/distributed.hpp>

#include "../support.hpp"
#include "world_run.hpp"

namespace {
using namespace tenon;
using tenon_test::contains;
using tenon_test::error_of;
using tenon_test::TemporaryFolder;

/// The tree's sum by its definition: halves whose size is the largest power of two below the number of shards.
float sum_of_tree(std::span<const float> shards) {
    if (shards.size() == 1) return shards[0];
    const std::size_t left = std::bit_floor(shards.size() - 1);
    return sum_of_tree(shards.first(left)) + sum_of_tree(shards.subspan(left));
}

constexpr std::size_t length = 1003;

float value_of(std::size_t shard, std::size_t i) {
    const auto bits = detail::random_bits(7, shard, i);
    return static_cast<float>(detail::uniform(bits, -1, 1) * std::pow(10.0, static_cast<double>(bits % 7)));
}

template <int ranks>
void check_sums(int shards) {
    if (shards % ranks != 0) return;
    CAPTURE(ranks);
    CAPTURE(shards);
    std::vector<float> expected, values(static_cast<std::size_t>(shards));
    for (std::size_t i = 0; i < length; ++i) {
        for (std::size_t s = 0; s < values.size(); ++s) values[s] = value_of(s, i);
        expected.push_back(sum_of_tree(values));
    }
    std::atomic<int> equal = 0;
    distributed::Threads<ranks>{}.run([&](auto& world) {
        detail::TreeSum sum{world, shards, length};
        const auto alone = [](const auto& function) { function(0, 1); };
        std::vector<float> found(length);
        for (int round = 0; round < 2; ++round) {
            for (int s = 0; s < shards / ranks; ++s) {
                const auto shard = static_cast<std::size_t>(shards / ranks * world.rank() + s);
                for (std::size_t i = 0; i < length; ++i) sum.leaf()[i] = value_of(shard, i);
                sum.add(alone);
            }
            sum.finish(found, alone);
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
    CHECK(contains(error_of([] { detail::TreeSum({}, 0, 1); }),
                   "expected a number of shards that 1 processes can share equally, found 0"));
}

using tenon_test::result_of_run;
using tenon_test::RunOptions;

template <int ranks>
std::string together(const RunOptions& options) {
    std::vector<std::string> results(ranks);
    distributed::Threads<ranks>{}.run(
        [&](auto& world) { results[static_cast<std::size_t>(world.rank())] = result_of_run(world, options); });
    for (const std::string& result : results) CHECK(result == results.front());
    return results.front();
}

TEST_CASE("training ends with the same bits for any number of processes") {
    for (const int accumulate : {1, 4}) {
        CAPTURE(accumulate);
        const RunOptions options{.accumulate = accumulate};
        distributed::Alone alone;
        const std::string expected = result_of_run(alone, options);
        CHECK(together<2>(options) == expected);
        CHECK(together<4>(options) == expected);
        // With 8 shards of the last batch's 5 images, some have none.
        const RunOptions eighths{.shards = 8, .accumulate = accumulate};
        CHECK(together<8>(eighths) == result_of_run(alone, eighths));
        // Shards and batches per iteration are part of the recipe: they change the bits.
        CHECK(result_of_run(alone, {.shards = 2, .accumulate = accumulate}) != expected);
    }
}

TEST_CASE("a run resumes with another number of processes") {
    const TemporaryFolder folder;
    distributed::Alone alone;
    const std::string expected = result_of_run(alone, {.epochs = 3});
    const std::string path = folder.file("run.checkpoint");
    together<4>({.epochs = 3, .checkpoint = path, .steps = 3});
    together<2>({.epochs = 3, .checkpoint = path, .steps = 8, .resume = true});
    CHECK(result_of_run(alone, {.epochs = 3, .checkpoint = path, .resume = true}) == expected);
}

TEST_CASE("every image is in the batches of one rank") {
    const ImageDataset dataset = tenon_test::shared_images(53);
    for (const bool drop_last : {false, true}) {
        std::vector<std::vector<int>> seen(5);
        for (int rank = 0; rank < 5; ++rank) {
            const tenon_test::OtherRank world{rank, 5};
            Loader whole{dataset, Pipeline{RandomFlip{}}, {.batch_size = 12, .drop_last = drop_last}};
            Loader mine{dataset, Pipeline{RandomFlip{}}, {.batch_size = 12, .drop_last = drop_last}};
            mine.shard(world);
            CHECK(mine.images() == whole.images());
            CHECK(mine.batches() == whole.batches());
            for (long i = 0; i < whole.batches(); ++i) {
                const Batch all = whole.batch(2, i), part = mine.batch(2, i);
                const auto first = static_cast<std::size_t>(part.first);
                const std::size_t elements = 3 * 8 * 8;
                CHECK(part.whole == static_cast<long>(all.labels.size()));
                CHECK(part.first == part.whole * rank / 5);
                CHECK(std::ranges::equal(part.labels, all.labels.subspan(first, part.labels.size())));
                CHECK(std::ranges::equal(part.images, all.images.subspan(first * elements, part.images.size())));
                seen[static_cast<std::size_t>(rank)].push_back(static_cast<int>(part.labels.size()));
            }
        }
        for (std::size_t i = 0; i < seen[0].size(); ++i) {
            int sum = 0;
            for (const auto& rank : seen) sum += rank[i];
            CHECK(sum == (i < 4 ? 12 : 5));
        }
    }
}

TEST_CASE("what one rank can't do ends all, and says which") {
    const auto failure = [](const RunOptions& options) { return error_of([&] { together<2>(options); }); };
    struct Failing : Callback {
        explicit Failing(int number) : rank{number} {}
        void on_step(const StepReport& report, TrainerControl& trainer) override {
            if (trainer.world().rank() == rank && report.step == 2) throw Error("the disk is full");
        }
        int rank;
    } failing{1};
    std::vector<std::string> errors(2);
    CHECK(failure({.callback = &failing}) == "the disk is full");
    distributed::Threads<2> threads;
    const std::string of_all = error_of([&] {
        threads.run([&](auto& world) {
            errors[static_cast<std::size_t>(world.rank())] =
                error_of([&] { result_of_run(world, {.callback = &failing}); });
        });
    });
    CHECK(of_all == "rank 1 of 2 failed: the disk is full");
    CHECK(errors[1] == "the disk is full");
    CHECK(errors[0] == "rank 1 of 2 failed: the disk is full");

    CHECK(contains(failure({.other_seed = true}), "rank 1 of 2 differs from rank 0: it has seed 4, expected seed 3"));
    CHECK(contains(failure({.other_data = true}), "rank 1 of 2 differs from rank 0: it has data "));
    CHECK(contains(failure({.other_weights = true}), "rank 1 of 2 differs from rank 0: it has parameters "));
    CHECK(contains(failure({.other_sharding = true}), "was the loader sharded for this world?"));
    CHECK(contains(failure({.shards = 3}), "expected a number of shards that 2 processes can share equally, found 3"));
    CHECK(contains(failure({.accumulate = 0}), "1 or more batches per iteration"));
}

TEST_CASE("the first rank that differs is named, and in what") {
    const auto disagreement = [](const detail::Facts& first, const detail::Facts& third) {
        return error_of([&] {
            distributed::Threads<4>{}.run([&](auto& world) {
                if (world.rank() < 2) return detail::check_agreement(world, first);
                detail::check_agreement(world, third);
            });
        });
    };
    const detail::Facts facts{{"version", "1.2"}, {"network", "12"}, {"epochs", "3"}};
    CHECK(disagreement(facts, facts) == "(no error)");
    CHECK(disagreement(facts, {{"version", "1.3"}, {"network", "12"}, {"epochs", "3"}}) ==
          "rank 2 of 4 differs from rank 0: it has version 1.3, expected version 1.2");
    CHECK(disagreement(facts, {{"version", "1.2"}, {"network", "127"}, {"epochs", "3"}}) ==
          "rank 2 of 4 differs from rank 0: it has network 127, expected network 12");
    CHECK(disagreement(facts, {{"version", "1.2"}, {"network", "12"}}) ==
          "rank 2 of 4 differs from rank 0: it has nothing, expected epochs 3");
}

TEST_CASE("what one rank interrupts, all interrupt after the same iteration, and rank 0 writes") {
    const TemporaryFolder folder;
    struct Interrupting : Callback {
        void on_step(const StepReport& report, TrainerControl& trainer) override {
            if (trainer.world().rank() == 1 && report.step == 3) trainer.interrupt("a signal");
        }
    };
    Interrupting callback;
    const std::string log = folder.file("log.csv");
    std::vector<tenon_test::Ending> endings(2);
    together<2>({.callback = &callback, .log = log, .endings = endings.data()});
    for (const tenon_test::Ending& ending : endings) {
        CHECK(ending.reason == "a signal");
        CHECK(ending.steps == 3);
    }
    CHECK(tenon_test::read_file(log).starts_with("epoch,"));
}

}  // namespace
