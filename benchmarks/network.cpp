// The complete ResNet50V2, batch 1 and 16 on 1..N threads: milliseconds per batch, GFLOP/s, percent of the peak
// measured around it; and its convolutions alone, for which the peak is a fair bound. Rows named "scaling" have batches
// 1 to 32, more threads than cores, and models side by side.
#include <algorithm>
#include <string>
#include <thread>
#include <vector>

#include <benchmark/benchmark.h>

#include <tenon/tenon.hpp>

#include "peak.hpp"

namespace {

using namespace tenon;

using Net = ResNet50V2<Classes<1000>>;

int cores() { return std::max(1, static_cast<int>(std::thread::hardware_concurrency())); }

std::vector<float> images_of(int batch) {
    return std::vector<float>(static_cast<std::size_t>(batch * input_shape<Net>.elements()), 0.5f);
}

/// Counters of one iteration that takes `seconds` and has `multiply_adds` multiply-adds.
void count(benchmark::State& state, double multiply_adds, double peak) {
    using benchmark::Counter;
    state.counters["GFLOP/s"] = Counter(2e-9 * multiply_adds, Counter::kIsIterationInvariantRate);
    state.counters["%peak"] = Counter(200e-9 * multiply_adds / peak, Counter::kIsIterationInvariantRate);
    state.counters["peak"] = peak;
}

void network(benchmark::State& state, int batch, int threads) {
    Model<Net> model{{.threads = threads}};
    model.initialize(1);
    const std::vector<float> images = images_of(batch);
    std::vector<float> results(static_cast<std::size_t>(batch) * 1000);
    model(images, results);
    const int busy_cores = std::min(threads, cores());
    const double before = tenon_benchmark::peak(busy_cores);
    for (auto _ : state) {
        model(images, results);
        benchmark::DoNotOptimize(results.data());
    }
    const double work = static_cast<double>(multiply_adds<Net>) * batch;
    count(state, work, std::max(before, tenon_benchmark::peak(busy_cores)));
    state.counters["images/s"] = benchmark::Counter(batch, benchmark::Counter::kIsIterationInvariantRate);
}

/// One model in each of the benchmark's threads, on a thread of its own, at batch 1.
void side_by_side(benchmark::State& state) {
    Model<Net> model{{.threads = 1}};
    model.initialize(1);
    const std::vector<float> images = images_of(1);
    std::vector<float> results(1000);
    model(images, results);
    for (auto _ : state) {
        model(images, results);
        benchmark::DoNotOptimize(results.data());
    }
    state.counters["images/s"] =
        benchmark::Counter(static_cast<double>(state.iterations()), benchmark::Counter::kIsRate);
}

void convolutions(benchmark::State& state, int batch, int threads) {
    Model<Net, ExactCpu> model{{.threads = threads}};
    model.initialize(1);
    const std::vector<float> images = images_of(batch);
    using Compiled = cpu::CompiledNetwork<Net, cpu::ConvAlgorithm::exact>;
    model.profile(images);
    const double before = tenon_benchmark::peak(threads);
    double work = 0;
    for (auto _ : state) {
        const std::vector<double> seconds = model.profile(images);
        double sum = 0;
        work = 0;
        for (int i = 0; i < Compiled::steps; ++i) {
            const cpu::Step& step = Compiled::plan.steps[i];
            if (step.kind != OpKind::conv) continue;
            sum += seconds[static_cast<std::size_t>(i)];
            const auto add_work = [&](const cpu::Step& part) {
                work +=
                    static_cast<double>(detail::multiply_adds_of(Compiled::program, Compiled::program.ops[part.op])) *
                    batch;
            };
            add_work(step);
            if (step.follower >= 0) add_work(Compiled::plan.followers[step.follower]);
        }
        state.SetIterationTime(sum);
    }
    count(state, work, std::max(before, tenon_benchmark::peak(threads)));
}

}  // namespace

int main(int argc, char** argv) {
    benchmark::Initialize(&argc, argv);
    if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
    const auto suffix_of = [](int batch, int threads) {
        return "/batch:" + std::to_string(batch) + "/threads:" + std::to_string(threads);
    };
    for (const int batch : {1, 16})
        for (int threads = 1; threads <= cores(); threads *= 2) {
            const std::string suffix = suffix_of(batch, threads);
            benchmark::RegisterBenchmark(("ResNet50V2" + suffix).c_str(), network, batch, threads)
                ->UseRealTime()
                ->Unit(benchmark::kMillisecond);
            benchmark::RegisterBenchmark(("convolutions" + suffix).c_str(), convolutions, batch, threads)
                ->UseManualTime()
                ->Unit(benchmark::kMillisecond);
        }
    for (int batch = 1; batch <= 32; batch *= 2)
        for (int threads = 1; threads <= 2 * cores(); threads *= 2)
            benchmark::RegisterBenchmark(("scaling" + suffix_of(batch, threads)).c_str(), network, batch, threads)
                ->UseRealTime()
                ->Unit(benchmark::kMillisecond);
    for (int models = 1; models <= cores(); models *= 2)
        benchmark::RegisterBenchmark(("scaling/models:" + std::to_string(models)).c_str(), side_by_side)
            ->Threads(models)
            ->UseRealTime()
            ->Unit(benchmark::kMillisecond);
    benchmark::RunSpecifiedBenchmarks();
}
