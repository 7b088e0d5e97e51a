// A team does each rank of a step once and no step before the one ahead of it is done, whoever comes to help.
#include <chrono>
#include <thread>
#include <vector>

#include <doctest/doctest.h>

#include <tenon/backend/cpu/team.hpp>

using namespace tenon;

namespace {

/// Runs `steps` steps in which each rank checks that the step before is done by all, then adds its mark.
long wrong_steps(const Team& team, int steps, int work = 0) {
    const auto ranks = static_cast<std::size_t>(team.size());
    std::vector<int> marks(ranks, 0);
    std::vector<long> wrong(ranks, 0);
    for (int step = 0; step < steps; ++step) {
        team.run([&](int rank, int size) {
            const auto mine = static_cast<std::size_t>(rank);
            for (int i = 0; i < work; ++i) asm volatile("");
            if (size != static_cast<int>(ranks) || marks[mine] != step) ++wrong[mine];
            ++marks[mine];
        });
        for (const int mark : marks)
            if (mark != step + 1) ++wrong[0];
    }
    long sum = 0;
    for (const long one : wrong) sum += one;
    return sum;
}

}  // namespace

TEST_CASE("each rank runs once, and a step is done when run() returns") {
    for (const int threads : {1, 2, 3, 8}) {
        const Team team{threads};
        CHECK(team.size() == threads);
        CHECK(wrong_steps(team, 5000) == 0);
        CHECK(wrong_steps(team, 20, 100'000) == 0);
    }
    CHECK_THROWS_WITH_AS(Team{-1}, "a model cannot run on -1 threads; give 1 or more, or 0 for all cores", Error);
}

TEST_CASE("helpers that have left are called again") {
    const Team team{4};
    for (int pause = 0; pause < 20; ++pause) {
        CHECK(wrong_steps(team, 50) == 0);
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
}

TEST_CASE("teams in several threads don't disturb each other") {
    std::vector<long> wrong(4, -1);
    std::vector<std::thread> threads;
    threads.reserve(wrong.size());
    for (long& mine : wrong) threads.emplace_back([&] { mine = wrong_steps(Team{3}, 2000); });
    for (std::thread& thread : threads) thread.join();
    for (const long one : wrong) CHECK(one == 0);
}

TEST_CASE("a team may end while helpers are on their way, and be moved") {
    for (int i = 0; i < 200; ++i) {
        Team first{3};
        first.run([](int, int) {});
        const Team second{std::move(first)};
        CHECK(wrong_steps(second, 3) == 0);
    }
}
