// Each task is taken once, a rank's own in order and others' from the back, also by many threads at once.
#include <atomic>
#include <thread>
#include <vector>

#include <doctest/doctest.h>

#include <tenon/backend/cpu/team.hpp>

using namespace tenon;

TEST_CASE("a rank takes its own tasks from the front, then others' from the back") {
    TaskShares shares{3};
    shares.deal([](int rank) { return rank == 0 ? 2 : rank == 1 ? 3 : 5; });
    const auto taken = [&](int rank) {
        const Task task = shares.take(rank);
        return std::pair{task.share, task.index};
    };
    CHECK(taken(0) == std::pair{0, 0});
    CHECK(taken(1) == std::pair{1, 0});
    CHECK(taken(0) == std::pair{0, 1});
    CHECK(taken(0) == std::pair{2, 4});  // most are left there
    CHECK(taken(0) == std::pair{2, 3});
    CHECK(taken(2) == std::pair{2, 0});
    CHECK(taken(0) == std::pair{1, 2});  // of equals the first
    CHECK(taken(2) == std::pair{2, 1});
    CHECK(taken(1) == std::pair{1, 1});
    CHECK(taken(1) == std::pair{2, 2});
    for (int rank = 0; rank < 3; ++rank) CHECK_FALSE(shares.take(rank));
    shares.deal([](int) { return 0; });
    CHECK_FALSE(shares.take(1));
}

TEST_CASE("however many threads take, each task is taken once") {
    constexpr int ranks = 4, tasks = 20'000;
    TaskShares shares{ranks};
    for (int run = 0; run < 10; ++run) {
        shares.deal([](int rank) { return rank == 2 ? 0 : tasks; });
        std::vector<std::atomic<int>> times(std::size_t{ranks} * tasks);
        std::vector<std::thread> threads;
        threads.reserve(ranks);
        for (int rank = 0; rank < ranks; ++rank)
            threads.emplace_back([&, rank] {
                while (const Task task = shares.take(rank))
                    ++times[static_cast<std::size_t>(task.share) * tasks + static_cast<std::size_t>(task.index)];
            });
        for (std::thread& thread : threads) thread.join();
        long wrong = 0;
        for (std::size_t i = 0; i < times.size(); ++i) wrong += times[i] != (i / tasks == 2 ? 0 : 1);
        CHECK(wrong == 0);
    }
}

TEST_CASE("a team does all tasks before it returns, whoever is slow") {
    const Team team{3};
    std::vector<int> times(90, 0), by(90, -1);
    for (int run = 1; run <= 200; ++run) {
        team.deal(3, [](int rank) { return rank == 1 ? 90 : 0; });
        team.run([&](int rank, int) {
            while (const Task task = team.take(rank)) {
                ++times[static_cast<std::size_t>(task.index)];
                by[static_cast<std::size_t>(task.index)] = rank;
            }
        });
        for (const int done : times) CHECK(done == run);
        for (const int rank : by) CHECK((rank >= 0 && rank < 3));
    }
}
