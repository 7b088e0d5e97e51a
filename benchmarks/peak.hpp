// The peak of this machine: fused multiply-adds of registers only, on as many threads as the measured code uses.
#pragma once

#include <algorithm>
#include <chrono>

#include <tenon/backend/cpu/simd/vector.hpp>
#include <tenon/backend/cpu/threads/team.hpp>

namespace tenon_benchmark {

/// GFLOP/s of one thread in one short window.
inline double peak_window() {
    using namespace tenon;
    constexpr int chains =
        24 / (cpu::vector_width < 16 ? 2 : 1);  // independent sums: enough to hide the latency, few enough to fit
    constexpr long rounds = 60'000;
    cpu::Vector sums[chains];
    for (int i = 0; i < chains; ++i) sums[i] = cpu::broadcast(static_cast<float>(i));
    cpu::Vector factor = cpu::broadcast(0.999f), addend = cpu::broadcast(1e-3f);
    asm volatile("" : "+x"(factor), "+x"(addend));
    const auto start = std::chrono::steady_clock::now();
    for (long round = 0; round < rounds; ++round) {
        TENON_UNROLL for (int i = 0; i < chains; ++i) sums[i] = cpu::multiply_add(sums[i], factor, addend);
    }
    TENON_UNROLL for (int i = 0; i < chains; ++i) asm volatile("" : "+x"(sums[i]));
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    return 2e-9 * static_cast<double>(rounds) * chains * cpu::vector_width / seconds;
}

/// GFLOP/s of `threads` threads together: the sum of each thread's best window of some.
inline double peak(int threads) {
    tenon::cpu::Team team{threads};
    std::vector<double> best(static_cast<std::size_t>(team.size()));
    team.run([&](int worker, int) {
        for (int window = 0; window < 25; ++window)
            best[static_cast<std::size_t>(worker)] = std::max(best[static_cast<std::size_t>(worker)], peak_window());
    });
    double sum = 0;
    for (const double one : best) sum += one;
    return sum;
}

}  // namespace tenon_benchmark
