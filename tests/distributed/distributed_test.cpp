// Several ranks, here threads, do together what one does alone: sums, training, evaluation, checkpoints to the bit; and
// what one of them can't do ends all.
#include <atomic>
#include <bit>
#include <chrono>
#include <cmath>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include <doctest/doctest.h>

#include <tenon/data/augment/flip.hpp>
#include <tenon/data/loader.hpp>
#include <tenon/data/pipeline.hpp>
#include <tenon/distributed.hpp>
#include <tenon/models/cifar.hpp>
#include <tenon/train/callbacks/log_files.hpp>
#include <tenon/train/callbacks/periodic_checkpoint.hpp>
#include <tenon/train/optimizers/sgd.hpp>
#include <tenon/train/trainer.hpp>

#ifdef TENON_TEST_MPI
#include <tenon/mpi.hpp>
#endif

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
using tenon_test::SharedNet;

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

TEST_CASE("what one rank interrupts, all interrupt after the same iteration, and rank 0 writes") {
    const TemporaryFolder folder;
    struct Interrupting : Callback {
        void on_step(const StepReport& report, TrainerControl& trainer) override {
            if (trainer.world().rank() == 1 && report.step == 3) trainer.interrupt("a signal");
        }
    };
    const std::string log = folder.file("log.csv");
    std::vector<std::string> reasons(2);
    std::vector<long> steps(2);
    distributed::Threads<2>{}.run([&](auto& world) {
        Interrupting callback;
        CsvLog csv{log};
        const auto rank = static_cast<std::size_t>(world.rank());
        Trainer<SharedNet> trainer{SgdOptions{}, {.batch_size = 12, .threads = 1, .world = world, .shards = 4}};
        const ImageDataset dataset = tenon_test::shared_images(53);
        Loader loader{dataset, Pipeline{Normalize{{0.5, 0.5, 0.5}, {0.5, 0.5, 0.5}}}, {.batch_size = 12}};
        trainer.fit(loader, {.epochs = 2, .callbacks = {&callback, &csv}});
        CHECK(trainer.is_interrupted());
        reasons[rank] = trainer.stop_reason();
        steps[rank] = trainer.state().step;
    });
    CHECK(reasons[0] == "a signal");
    CHECK(reasons[1] == "a signal");
    CHECK(steps[0] == 3);
    CHECK(steps[1] == 3);
    CHECK(tenon_test::read_file(log).starts_with("epoch,"));
}

#ifdef TENON_TEST_MPI

/// What `mpirun -n ranks` of this program's case "a rank of an MPI job" writes to the standard error; and, in `result`,
/// what rank 0 found.
struct Job {
    int status = 0;
    std::string said, result;
    double seconds = 0;
};
Job run_job(int ranks, const std::string& settings = {}) {
    const TemporaryFolder folder;
    const std::string result = folder.file("result"), said = folder.file("said");
    // Both MPIs, more ranks than cores, as root in a container: whatever doesn't apply is ignored.
    const std::string command =
        "env OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMPI_MCA_rmaps_base_oversubscribe=1 "
        "OMPI_MCA_hwloc_base_binding_policy=none OMPI_MCA_btl_vader_single_copy_mechanism=none "
        "PRTE_MCA_rmaps_default_mapping_policy=:oversubscribe PRTE_MCA_hwloc_default_binding_policy=none "
        "TENON_TEST_RESULT=" +
        result + " " + settings + " " TENON_TEST_MPI " -n " + std::to_string(ranks) + " " +
        std::filesystem::read_symlink("/proc/self/exe").string() + " --no-skip -tc='a rank of an MPI job' >" + said +
        " 2>&1";
    Job job;
    const auto start = std::chrono::steady_clock::now();
    job.status = std::system(command.c_str());
    job.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    job.said = tenon_test::read_file(said);
    if (std::filesystem::exists(result)) job.result = tenon_test::read_file(result);
    return job;
}

std::string setting(const char* name) {
    const char* value = std::getenv(name);
    return value ? value : "";
}

TEST_CASE("a rank of an MPI job" * doctest::skip()) {
    int argc = 0;
    char** argv = nullptr;
    distributed::Mpi world{argc, argv};
    struct Dying : Callback {
        void on_step(const StepReport& report, TrainerControl& trainer) override {
            const bool here = trainer.world().rank() == 1 && report.step == 5;
            if (here && setting("TENON_TEST_DEATH") == "kill") std::raise(SIGKILL);
            if (here && setting("TENON_TEST_DEATH") == "throw") throw Error("the disk is full");
        }
    } dying;
    const std::string checkpoint = setting("TENON_TEST_CHECKPOINT");
    RunOptions options{.checkpoint = checkpoint, .other_seed = setting("TENON_TEST_DEATH") == "seed"};
    options.resume = !checkpoint.empty() && std::filesystem::exists(checkpoint);
    options.callback = &dying;
    const std::string result = result_of_run(world, options);
    if (world.rank() == 0) tenon_test::write_file(setting("TENON_TEST_RESULT"), result);
}

TEST_CASE("processes of MPI end with the bits of one") {
    distributed::Alone alone;
    const std::string expected = result_of_run(alone, {});
    for (const int ranks : {1, 2, 4}) {
        CAPTURE(ranks);
        const Job job = run_job(ranks);
        CAPTURE(job.said);
        CHECK(job.status == 0);
        CHECK(job.result == expected);
    }
}

TEST_CASE("an MPI job whose rank dies ends, and resumes with another number of processes") {
    distributed::Alone alone;
    const std::string expected = result_of_run(alone, {});
    for (const std::string death : {"kill", "throw", "seed"}) {
        CAPTURE(death);
        const TemporaryFolder folder;
        const std::string checkpoint = folder.file("run.checkpoint");
        const Job job = run_job(4, "TENON_TEST_DEATH=" + death + " TENON_TEST_CHECKPOINT=" + checkpoint);
        CAPTURE(job.said);
        CHECK(job.status != 0);
        CHECK(job.seconds < 10);
        CHECK(job.result.empty());
        if (death == "kill")  // Open MPI names the rank, MPICH the machine
            CHECK((contains(job.said, "rank 1") || contains(job.said, "BAD TERMINATION")));
        if (death == "throw")
            CHECK(contains(job.said, "rank 1 of 4 failed: the disk is full; the last checkpoint: " + checkpoint));
        if (death == "seed") {
            CHECK(contains(job.said, "rank 1 of 4 differs from rank 0: it has seed 4, expected seed 3"));
        } else {
            const Job resumed = run_job(2, "TENON_TEST_CHECKPOINT=" + checkpoint);
            CAPTURE(resumed.said);
            CHECK(resumed.result == expected);
        }
    }
}

#endif

}  // namespace
