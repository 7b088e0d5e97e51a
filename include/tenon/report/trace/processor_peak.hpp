#pragma once
// IWYU pragma: private, include <tenon/report.hpp>

// The rate of multiply-adds that a thread of this processor reaches, measured.

#include <algorithm>
#include <chrono>

#include <tenon/runtime/model.hpp>

namespace tenon::detail {
inline namespace TENON_ISA_NAMESPACE {

/// GFLOP/s of one thread that multiplies and adds registers only: the best of some windows of a few milliseconds. It
/// is a little less than the processor's peak, as a thread is disturbed now and then.
template <class Once = void>
double measured_peak() {
    constexpr int chains = cpu::vector_width < 16 ? 12 : 24;  // enough to hide the latency, few enough for registers
    constexpr long rounds = 60'000;
    double best = 0;
    for (int window = 0; window < 5; ++window) {
        cpu::Vector sums[chains];
        for (int i = 0; i < chains; ++i) sums[i] = cpu::broadcast(static_cast<float>(i));
        // The compiler must not know the numbers: it would leave out all rounds.
        const volatile float unknown[] = {0.999f, 1e-3f};
        const cpu::Vector factor = cpu::broadcast(unknown[0]), addend = cpu::broadcast(unknown[1]);
        const auto start = std::chrono::steady_clock::now();
        for (long round = 0; round < rounds; ++round)
            TENON_UNROLL for (int i = 0; i < chains; ++i) sums[i] = cpu::multiply_add(sums[i], factor, addend);
        const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
        for (int i = 1; i < chains; ++i) sums[0] = cpu::multiply_add(sums[i], factor, sums[0]);
        alignas(cpu::Vector) float results[cpu::vector_width];
        cpu::store(results, sums[0]);
        [[maybe_unused]] const volatile float used = results[0];
        best = std::max(best, 2e-9 * static_cast<double>(rounds) * chains * cpu::vector_width / seconds);
    }
    return best;
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::detail
