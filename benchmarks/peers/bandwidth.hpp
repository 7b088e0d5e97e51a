// The memory bandwidth of this machine: sums over far more memory than caches hold.
#pragma once

#include <algorithm>
#include <chrono>

#include <tenon/backend/cpu/simd/vector.hpp>
#include <tenon/backend/cpu/threads/team.hpp>
#include <tenon/core/buffer.hpp>

namespace tenon_benchmark {

/// GB/s that `threads` threads read together, the best of some passes over 128 MB each.
inline double bandwidth(int threads) {
    using namespace tenon;
    constexpr long floats = 32L << 20;
    cpu::Team team{threads};
    std::vector<detail::Buffer<float>> buffers;
    for (int i = 0; i < team.size(); ++i) buffers.emplace_back(static_cast<std::size_t>(floats));
    double best = 0;
    for (int pass = 0; pass < 6; ++pass) {
        const auto start = std::chrono::steady_clock::now();
        team.run([&](int worker, int) {
            float* const from = buffers[static_cast<std::size_t>(worker)].data();
            if (pass == 0) std::fill_n(from, floats, 1.0f);  // pages exist from now on
            cpu::Vector sums[8];
            TENON_UNROLL for (int i = 0; i < 8; ++i) sums[i] = cpu::zero();
            for (long at = 0; at < floats; at += 8 * cpu::vector_width)
                TENON_UNROLL for (int i = 0; i < 8; ++i) sums[i] =
                    cpu::add(sums[i], cpu::load(from + at + i * cpu::vector_width));
            TENON_UNROLL for (int i = 0; i < 8; ++i) asm volatile("" : "+x"(sums[i]));
        });
        const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
        if (pass > 0) best = std::max(best, 4e-9 * static_cast<double>(floats) * team.size() / seconds);
    }
    return best;
}

}  // namespace tenon_benchmark
