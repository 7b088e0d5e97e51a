// The program of `scripts/bench distributed`, run by mpirun or alone. Rank 0 prints JSON.
//
//     distributed step BATCH THREADS SHARDS STEPS    seconds of training iterations, and of their sums over processes
//     distributed exchange MAX_BYTES                 seconds of a sum over processes, by the size of what is summed
//     distributed overlap BATCH THREADS STEPS        seconds of computing and summing, in turns and at the same time
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <tenon/mpi.hpp>
#include <tenon/tenon.hpp>

namespace {

using namespace tenon;
using Net = TENON_BENCHMARK_NETWORK<>;
using Clock = std::chrono::steady_clock;

double since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

/// The same batch, again and again.
class OneBatch {
public:
    explicit OneBatch(int images, long batches) : batches_{batches} {
        constexpr long elements = input_shape<Net>.elements();
        for (long i = 0; i < images * elements; ++i)
            images_.push_back(
                static_cast<float>(detail::uniform(detail::random_bits(1, 0, static_cast<std::uint64_t>(i)), -1, 1)));
        for (int i = 0; i < images; ++i) labels_.push_back(i % Trainer<Net>::classes);
    }
    long images() const { return static_cast<long>(labels_.size()) * batches_; }
    long batches() const { return batches_; }
    Batch batch(long, long) const { return {images_, labels_, {}}; }

private:
    std::vector<float> images_;
    std::vector<int> labels_;
    long batches_;
};

struct Stopwatch : Callback {
    explicit Stopwatch(const Trainer<Net>& of) : trainer{of} {}
    void on_step(const StepReport&, TrainerControl&) override {
        seconds.push_back(since(start));
        exchange_seconds.push_back(trainer.exchange_seconds());
        start = Clock::now();
    }
    const Trainer<Net>& trainer;
    Clock::time_point start = Clock::now();
    std::vector<double> seconds{}, exchange_seconds{};
};

void time_steps(distributed::World world, int batch, int threads, int shards, long steps) {
    Trainer<Net> trainer{SgdOptions{.learning_rate = 1e-4, .momentum = 0.9},
                         {.batch_size = batch, .threads = threads, .world = world, .shards = shards}};
    OneBatch source{batch, steps + 1};
    Stopwatch stopwatch{trainer};
    trainer.fit(source, {.epochs = 1, .callbacks = {&stopwatch}});
    if (world.rank() != 0) return;
    std::printf("{\"parameters\": %ld, \"exchange_seconds\": %.6f, \"seconds\": [",
                static_cast<long>(trainer.parameters().values().size()),
                (stopwatch.exchange_seconds.back() - stopwatch.exchange_seconds.front()) / static_cast<double>(steps));
    for (std::size_t i = 1; i < stopwatch.seconds.size(); ++i)  // the first one touches the memory
        std::printf("%s%.6f", i > 1 ? ", " : "", stopwatch.seconds[i]);
    std::printf("]}\n");
}

void time_exchanges(distributed::World world, std::size_t max_bytes) {
    const auto alone = [](const auto& function) { function(0, 1); };
    for (std::size_t bytes = 1024; bytes <= max_bytes; bytes *= 4) {
        const std::size_t length = bytes / sizeof(float);
        detail::TreeSum sum{world, world.size(), length};
        std::vector<float> result(length);
        std::vector<double> seconds;
        for (int i = 0; i < 12; ++i) {
            std::ranges::fill(result, 1.0f);
            world.barrier();
            const auto start = Clock::now();
            sum.finish(result, 1, 1, result, alone);
            seconds.push_back(since(start));
        }
        if (world.rank() != 0) continue;
        std::ranges::sort(seconds);
        std::printf("{\"bytes\": %zu, \"seconds\": %.9f}\n", bytes, seconds[seconds.size() / 2]);
    }
}

/// The best that sending gradients while others are computed could do: here all are sent from the beginning on, before
/// any is there.
void time_overlap(distributed::World world, int batch, int threads, long steps) {
    const int images = batch / world.size();
    const OneBatch source{images, 1};
    const Batch mine = source.batch(0, 0);
    TrainingEngine<Net> engine{images, {.threads = threads}};
    engine.parameters().seed(1);
    const auto alone = [](const auto& function) { function(0, 1); };
    detail::TreeSum sum{world, world.size(), static_cast<std::size_t>(state_count<Net>)};
    std::vector<float> result(static_cast<std::size_t>(state_count<Net>));
    const auto exchange = [&] { sum.finish(result, 1, 1, result, alone); };
    std::vector<double> blocking, overlapped;
    for (long i = 0; i <= steps; ++i) {
        world.barrier();
        auto start = Clock::now();
        engine.forward_backward(mine.images, mine.labels);
        exchange();
        blocking.push_back(since(start));
        world.barrier();
        start = Clock::now();
        std::thread computing{[&] { engine.forward_backward(mine.images, mine.labels); }};
        exchange();
        computing.join();
        overlapped.push_back(since(start));
    }
    if (world.rank() != 0) return;
    const auto median = [](std::vector<double> values) {
        values.erase(values.begin());  // it touches the memory
        std::ranges::sort(values);
        return values[values.size() / 2];
    };
    std::printf("{\"blocking\": %.6f, \"overlapped\": %.6f}\n", median(blocking), median(overlapped));
}

int run(distributed::World world, const std::vector<std::string>& arguments) {
    if (arguments.size() == 5 && arguments[0] == "step")
        time_steps(world, std::stoi(arguments[1]), std::stoi(arguments[2]), std::stoi(arguments[3]),
                   std::stol(arguments[4]));
    else if (arguments.size() == 2 && arguments[0] == "exchange")
        time_exchanges(world, std::stoul(arguments[1]));
    else if (arguments.size() == 4 && arguments[0] == "overlap")
        time_overlap(world, std::stoi(arguments[1]), std::stoi(arguments[2]), std::stol(arguments[3]));
    else
        throw Error("expected step BATCH THREADS SHARDS STEPS, exchange MAX_BYTES, or overlap BATCH THREADS STEPS");
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    std::optional<distributed::Mpi> mpi;
    distributed::World world;
    if (distributed::Mpi::is_launched()) {
        mpi.emplace(argc, argv);
        world = *mpi;
    }
    try {
        return run(world, {argv + 1, argv + argc});
    } catch (const std::exception& error) {
        std::fprintf(stderr, "distributed: %s\n", error.what());
        world.fail(error.what());
        return 1;
    }
}
