// Every distinct step of ResNet50V2 on its own: time, GFLOP/s, percent of the peak measured around it, bytes moved.
// Steps with the same kernel and sizes are measured once. Convolutions are direct; those that the backend computes by
// Winograd follow, with the effective rate of the same multiply-adds. One image, --threads=N threads (default 1).
#include <algorithm>
#include <cstring>
#include <map>
#include <string>
#include <tuple>

#include <benchmark/benchmark.h>

#include <tenon/tenon.hpp>

#include "peak.hpp"

namespace {

using namespace tenon;

using Net = ResNet50V2<Classes<1000>>;

int threads = 1;

template <cpu::ConvAlgorithm Algorithm>
cpu::Engine<Net, Algorithm>& engine() {
    static cpu::Engine<Net, Algorithm> engine = [] {
        cpu::Engine<Net, Algorithm> built{threads, 1};
        Parameters<Net> parameters;
        parameters.seed(1);
        built.set_parameters(parameters.tensors());
        const std::vector<float> image(static_cast<std::size_t>(input_shape<Net>.elements()), 0.5f);
        std::vector<float> logits(1000);
        built.run(image.data(), logits.data(), 1, [](int) {});
        return built;
    }();
    return engine;
}

template <cpu::ConvAlgorithm Algorithm>
void run_step(benchmark::State& state, int step, StepProfile profile) {
    std::vector<float> image(static_cast<std::size_t>(input_shape<Net>.elements()), 0.5f), logits(1000);
    cpu::Engine<Net, Algorithm>& engine = ::engine<Algorithm>();
    const double before = tenon_benchmark::peak(threads);
    for (auto _ : state) {
        engine.run_step(step, image.data(), logits.data());
        benchmark::ClobberMemory();
    }
    const double peak = std::max(before, tenon_benchmark::peak(threads));
    const double work = 2e-9 * static_cast<double>(profile.multiply_adds);
    if (profile.multiply_adds > 0) {
        using benchmark::Counter;
        state.counters["GFLOP/s"] = Counter(work, Counter::kIsIterationInvariantRate);
        state.counters["%peak"] = Counter(100 * work / peak, Counter::kIsIterationInvariantRate);
    }
    state.counters["peak"] = peak;
    state.counters["bytes"] = static_cast<double>(profile.bytes);
}

/// One benchmark per distinct step; of the fast algorithms only the steps that differ from the exact ones.
template <cpu::ConvAlgorithm Algorithm>
void register_steps() {
    using Compiled = cpu::CompiledNetwork<Net, Algorithm>;
    const std::vector<StepProfile> profiles = step_profiles<Net, Algorithm>();
    std::map<std::tuple<cpu::StepFunction, long, long, int, int>, bool> seen;
    for (int i = 0; i < Compiled::steps; ++i) {
        const cpu::Step& step = Compiled::plan.steps[i];
        const StepProfile& profile = profiles[static_cast<std::size_t>(i)];
        const auto key = std::tuple{Compiled::functions[i], profile.multiply_adds, profile.bytes,
                                    step.result().channels, step.source().channels};
        if (!seen.try_emplace(key, true).second) continue;
        if (Algorithm == cpu::ConvAlgorithm::fast && step.winograd.m == 0) continue;
        std::string name = profile.name + "/" + to_string(profile.input) + "->" + to_string(profile.output);
        if (step.winograd.m > 0) name += "/F(" + std::to_string(step.winograd.m) + ")";
        benchmark::RegisterBenchmark(name.c_str(), run_step<Algorithm>, i, profile)
            ->UseRealTime()
            ->Unit(benchmark::kMicrosecond);
    }
}

}  // namespace

int main(int argc, char** argv) {
    benchmark::Initialize(&argc, argv);
    for (int i = 1; i < argc; ++i) {
        if (std::strncmp(argv[i], "--threads=", 10) == 0 && std::atoi(argv[i] + 10) > 0) {
            threads = std::atoi(argv[i] + 10);
        } else {
            std::fprintf(stderr, "layers: unknown argument %s; expected --threads=N or one of Google Benchmark's\n",
                         argv[i]);
            return 2;
        }
    }
    benchmark::AddCustomContext("%peak",
                                "of two operations for each multiply-add of the layer; above 100 where Winograd (/F) "
                                "or Strassen needs fewer products, or the clock rose between the measurements");
    register_steps<cpu::ConvAlgorithm::exact>();
    register_steps<cpu::ConvAlgorithm::fast>();
    benchmark::RunSpecifiedBenchmarks();
}
