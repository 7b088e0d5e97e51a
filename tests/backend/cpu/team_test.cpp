// A team does each worker of a step once and no step before the one ahead of it is done, whoever comes to help.
#include <atomic>
#include <chrono>
#include <thread>
#include <vector>

#include <doctest/doctest.h>

#include <tenon/backend/cpu/threads/team.hpp>

using namespace tenon;

namespace {

/// Runs `steps` steps in which each worker checks that the step before is done by all, then adds its mark.
long wrong_steps(cpu::Workers& team, int steps, int work = 0) {
    const auto workers = static_cast<std::size_t>(team.size());
    std::vector<int> marks(workers, 0);
    std::vector<long> wrong(workers, 0);
    for (int step = 0; step < steps; ++step) {
        team.run([&](int worker, int size) {
            const auto mine = static_cast<std::size_t>(worker);
            for (int i = 0; i < work; ++i) asm volatile("");
            if (size != static_cast<int>(workers) || marks[mine] != step) ++wrong[mine];
            ++marks[mine];
        });
        for (const int mark : marks)
            if (mark != step + 1) ++wrong[0];
    }
    long sum = 0;
    for (const long one : wrong) sum += one;
    return sum;
}

/// The same for a helper group, whose size may change from step to step: each worker of a step runs once, and tasks are
/// done.
long wrong_helper_group_steps(cpu::HelperGroup& group, int steps) {
    long wrong = 0;
    for (int step = 0; step < steps; ++step) {
        std::vector<std::atomic<int>> marks(8), tasks(40);
        std::atomic<int> workers{0};
        group.run([&](int worker, int size) {
            ++marks[static_cast<std::size_t>(worker)];
            workers = size;
        });
        for (int worker = 0; worker < 8; ++worker)
            wrong += marks[static_cast<std::size_t>(worker)] != (worker < workers ? 1 : 0);
        group.for_each(40, [&](int i) { ++tasks[static_cast<std::size_t>(i)]; });
        for (const auto& times : tasks) wrong += times != 1;
    }
    return wrong;
}

}  // namespace

TEST_CASE("each worker runs once, and a step is done when run() returns") {
    for (const int threads : {1, 2, 3, 8}) {
        cpu::Team team{threads};
        CHECK(team.size() == threads);
        CHECK(wrong_steps(team, 5000) == 0);
        CHECK(wrong_steps(team, 20, 100'000) == 0);
    }
    CHECK_THROWS_WITH_AS(cpu::Team{-1}, "a model cannot run on -1 threads; give 1 to 1024, or 0 for all cores", Error);
}

TEST_CASE("helpers that have left are called again") {
    cpu::Team team{4};
    for (int pause = 0; pause < 20; ++pause) {
        CHECK(wrong_steps(team, 50) == 0);
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
}

TEST_CASE("teams in several threads don't disturb each other") {
    std::vector<long> wrong(4, -1);
    std::vector<std::thread> threads;
    threads.reserve(wrong.size());
    for (long& mine : wrong)
        threads.emplace_back([&] {
            cpu::Team team{3};
            mine = wrong_steps(team, 2000);
        });
    for (std::thread& thread : threads) thread.join();
    for (const long one : wrong) CHECK(one == 0);
}

TEST_CASE("a team may end while helpers are on their way, and be moved") {
    for (int i = 0; i < 200; ++i) {
        cpu::Team first{3};
        first.run([](int, int) {});
        cpu::Team second{std::move(first)};
        CHECK(wrong_steps(second, 3) == 0);
    }
}

TEST_CASE("a team ends although no thread has come to help it, also inside of another's task") {
    // All threads of oneTBB are busy until the teams are gone.
    tbb::task_arena other{4};
    std::atomic<bool> done{false};
    std::atomic<int> running{0}, ended{0};
    const auto use_team = [] {
        cpu::Team team{4};
        return wrong_steps(team, 20);
    };
    for (int i = 0; i < 3; ++i)
        other.enqueue([&] {
            ++running;
            if (use_team() == 0) ++ended;
            while (!done) std::this_thread::yield();
        });
    while (running == 0 && std::thread::hardware_concurrency() > 1) std::this_thread::yield();
    for (int i = 0; i < 20; ++i) CHECK(use_team() == 0);
    done = true;
    while (ended < 3) std::this_thread::yield();
    CHECK(ended == 3);
}

TEST_CASE("volunteers join a helper group between its steps and leave when they are not wanted") {
    cpu::HelperGroup group{3};
    CHECK(group.size() == 1);
    CHECK(wrong_helper_group_steps(group, 100) == 0);
    for (int run = 0; run < 20; ++run) {
        std::atomic<bool> wanted{true};
        std::vector<std::thread> volunteers;
        for (int i = 0; i < 3; ++i)  // one more than there are places
            volunteers.emplace_back([&] { group.volunteer([&] { return wanted.load(); }); });
        CHECK(wrong_helper_group_steps(group, 500) == 0);
        while (group.size() < 3) std::this_thread::yield();
        CHECK(wrong_helper_group_steps(group, 500) == 0);
        wanted = false;
        for (std::thread& volunteer : volunteers) volunteer.join();
        CHECK(group.size() == 1);
        CHECK(wrong_helper_group_steps(group, 10) == 0);
    }
}
