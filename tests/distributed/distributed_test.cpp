// Several ranks, here threads, do together what one does alone: training, evaluation, checkpoints to the bit; and what
// one of them can't do ends all.
#include <algorithm>
#include <cmath>
#include <cstring>

#include <doctest/doctest.h>

#include <tenon/data/augment/flip.hpp>
#include <tenon/data/loader.hpp>
#include <tenon/data/pipeline.hpp>
#include <tenon/distributed.hpp>
#include <tenon/train/schedules/schedule.hpp>

#include "../support.hpp"
#include "world_run.hpp"

namespace {
using namespace tenon;
using tenon_test::contains;
using tenon_test::error_of;
using tenon_test::TemporaryFolder;

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
        // With 8 shards of a batch of 4 images, or of 3, some have none.
        const RunOptions eighths{.shards = 8, .accumulate = accumulate};
        CHECK(together<8>(eighths) == result_of_run(alone, eighths));
        // Shards and batches per iteration are part of the recipe: they change the bits.
        CHECK(result_of_run(alone, {.shards = 2, .accumulate = accumulate}) != expected);
    }
}

TEST_CASE("batch norms that see all shards train to the same bits for any number of processes") {
    for (const int accumulate : {1, 2}) {
        CAPTURE(accumulate);
        // Of the last batch's 5 images, some shards have none.
        const RunOptions options{.shards = 8, .accumulate = accumulate, .sync_norms = true};
        distributed::Alone alone;
        const std::string expected = result_of_run(alone, options);
        CHECK(together<2>(options) == expected);
        CHECK(together<8>(options) == expected);
        // Shards only change how sums are rounded: these are parameters after two epochs.
        const std::string undivided = result_of_run(alone, {.shards = 1, .accumulate = accumulate, .sync_norms = true});
        std::vector<float> ours(5000), theirs(5000);
        std::memcpy(ours.data(), expected.data(), ours.size() * sizeof(float));
        std::memcpy(theirs.data(), undivided.data(), theirs.size() * sizeof(float));
        float difference = 0;
        for (std::size_t i = 0; i < ours.size(); ++i) difference = std::max(difference, std::abs(ours[i] - theirs[i]));
        CHECK(difference > 0);
        CHECK(difference < 1e-4f);
    }
}

TEST_CASE("batch norms that see all shards compute what they do on the complete batch") {
    for (const std::vector<int>& parts : {std::vector{12}, std::vector{6, 6}, std::vector{5, 0, 3, 4}}) {
        CAPTURE(parts.size());
        const tenon_test::NormErrors errors = tenon_test::errors_of_parts(parts);
        CHECK(errors.loss < 1e-5);
        CHECK(errors.gradients < 1e-4);
        CHECK(errors.statistics < 1e-5);
    }
}

TEST_CASE("a run resumes with another number of processes") {
    const TemporaryFolder folder;
    distributed::Alone alone;
    const std::string expected = result_of_run(alone, {.epochs = 3});
    const std::string path = folder.file("run.checkpoint");
    together<4>({.epochs = 3, .checkpoint = path, .steps = 3});
    CHECK(contains(error_of([&] { result_of_run(alone, {.checkpoint = path, .resume = true, .sync_norms = true}); }),
                   "run.checkpoint"));
    together<2>({.epochs = 3, .checkpoint = path, .steps = 8, .resume = true});
    CHECK(result_of_run(alone, {.epochs = 3, .checkpoint = path, .resume = true}) == expected);
}

TEST_CASE("the rate for a larger batch grows from that of the small one") {
    const Schedule schedule = schedules::larger_batch(8, Duration::steps(4));
    std::vector<double> factors;
    for (const double step : {0.0, 1.0, 2.0, 4.0, 9.0}) factors.push_back(schedule({step, 10, 5}));
    CHECK(factors == std::vector{1.0, 2.75, 4.5, 8.0, 8.0});
    CHECK(schedules::larger_batch(2)({5, 100, 2}) == 1.5);  // by itself over 5 epochs
    CHECK(contains(error_of([] { schedules::larger_batch(0); }), "a batch is larger by a positive factor, not 0"));
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
