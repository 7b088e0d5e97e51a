// A plug-in that computes with threads, for host.cpp.
#include <atomic>

#include <tenon/backend/cpu/threads/team.hpp>

/// How many calls a team made in 20 steps; the team is gone when this returns.
extern "C" int run_plugin(int threads) {
    tenon::cpu::Team team{threads};
    std::atomic<int> calls{0};
    for (int step = 0; step < 20; ++step) team.run([&](int, int) { ++calls; });
    return calls;
}
