// The peak of this machine: fused multiply-adds of registers only, on as many threads as the measured code uses.
#pragma once

#include <algorithm>
#include <chrono>

#include <tenon/backend/cpu/simd.hpp>
#include <tenon/backend/cpu/team.hpp>

namespace tenon_benchmark {

/// GFLOP/s of one thread in one short window.
inline double peak_window() {
    using namespace tenon;
    constexpr int chains =
        24 / (lanes < 16 ? 2 : 1);  // independent sums: enough to hide the latency, few enough to fit
    constexpr long rounds = 60'000;
    Vector sums[chains];
    for (int i = 0; i < chains; ++i) sums[i] = broadcast(static_cast<float>(i));
    Vector factor = broadcast(0.999f), addend = broadcast(1e-3f);
    asm volatile("" : "+x"(factor), "+x"(addend));
    const auto start = std::chrono::steady_clock::now();
    for (long round = 0; round < rounds; ++round) {
        TENON_UNROLL for (int i = 0; i < chains; ++i) sums[i] = multiply_add(sums[i], factor, addend);
    }
    TENON_UNROLL for (int i = 0; i < chains; ++i) asm volatile("" : "+x"(sums[i]));
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    return 2e-9 * static_cast<double>(rounds) * chains * lanes / seconds;
}

/// GFLOP/s of `threads` threads together: each thread's best window of some, added up.
inline double peak(int threads) {
    tenon::Team team{threads};
    std::vector<double> best(static_cast<std::size_t>(team.size()));
    team.run([&](int rank, int) {
        for (int window = 0; window < 25; ++window)
            best[static_cast<std::size_t>(rank)] = std::max(best[static_cast<std::size_t>(rank)], peak_window());
    });
    double sum = 0;
    for (const double one : best) sum += one;
    return sum;
}

}  // namespace tenon_benchmark
