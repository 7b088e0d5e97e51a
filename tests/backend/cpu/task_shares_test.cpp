// Each task is taken once, a worker's own in order and others' from the back, also by many threads at once.
#include <atomic>
#include <thread>
#include <vector>

#include <doctest/doctest.h>

#include <tenon/backend/cpu/threads/team.hpp>

using namespace tenon;

TEST_CASE("a worker takes its own tasks from the front, then others' from the back") {
    cpu::TaskShares shares{3};
    shares.deal([](int worker) { return worker == 0 ? 2 : worker == 1 ? 3 : 5; });
    const auto taken = [&](int worker) {
        const cpu::Task task = shares.take(worker);
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
    for (int worker = 0; worker < 3; ++worker) CHECK_FALSE(shares.take(worker));
    shares.deal([](int) { return 0; });
    CHECK_FALSE(shares.take(1));
}

TEST_CASE("however many threads take, each task is taken once") {
    constexpr int workers = 4, tasks = 20'000;
    cpu::TaskShares shares{workers};
    for (int run = 0; run < 10; ++run) {
        shares.deal([](int worker) { return worker == 2 ? 0 : tasks; });
        std::vector<std::atomic<int>> times(std::size_t{workers} * tasks);
        std::vector<std::thread> threads;
        threads.reserve(workers);
        for (int worker = 0; worker < workers; ++worker)
            threads.emplace_back([&, worker] {
                while (const cpu::Task task = shares.take(worker))
                    ++times[static_cast<std::size_t>(task.share) * tasks + static_cast<std::size_t>(task.index)];
            });
        for (std::thread& thread : threads) thread.join();
        long wrong = 0;
        for (std::size_t i = 0; i < times.size(); ++i) wrong += times[i] != (i / tasks == 2 ? 0 : 1);
        CHECK(wrong == 0);
    }
}

TEST_CASE("a team does all tasks before it returns, whoever is slow") {
    cpu::Team team{3};
    std::vector<int> times(90, 0), by(90, -1);
    for (int run = 1; run <= 200; ++run) {
        const auto tasks_of = [](int part) { return part == 1 ? 90 : 0; };
        team.run_tasks(3, tasks_of, [&](cpu::WorkerTasks& tasks) {
            while (const cpu::Task task = tasks.next()) {
                ++times[static_cast<std::size_t>(task.index)];
                by[static_cast<std::size_t>(task.index)] = tasks.worker;
            }
        });
        for (const int done : times) CHECK(done == run);
        for (const int worker : by) CHECK((worker >= 0 && worker < 3));
    }
}

TEST_CASE("workers take each item once, their own in order") {
    cpu::Team team{3};
    for (const int count : {0, 1, 2, 3, 40}) {
        std::vector<std::atomic<int>> times(static_cast<std::size_t>(count));
        std::atomic<int> calls{0}, out_of_order{0};
        team.run_items(count, [&](cpu::WorkerItems& items) {
            ++calls;
            const cpu::Range own = cpu::share(count, items.worker, items.workers);
            for (int item = items.next(), next = own.begin; item >= 0; item = items.next()) {
                ++times[static_cast<std::size_t>(item)];
                if (item >= own.begin && item < own.end && item != next++) ++out_of_order;
            }
        });
        CHECK(calls == 3);
        CHECK(out_of_order == 0);
        for (const auto& done : times) CHECK(done == 1);
    }
}
