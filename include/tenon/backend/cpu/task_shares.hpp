// The tasks of a step, shared among the ranks of a team: who is done first helps those that are behind.
#pragma once

#include <atomic>
#include <cstdint>
#include <vector>

#include <tenon/core/isa.hpp>

namespace tenon {

/// One task of a job: which rank it was meant for, and which of that rank's it is.
struct Task {
    int share = -1, index = 0;
    explicit operator bool() const { return share >= 0; }
};

inline namespace TENON_ISA_NAMESPACE {

/// A share of tasks for each rank. A rank takes its own from the front, so that neighbours follow each other and it
/// meets the same data from step to step; behind its last it takes from the back of the share with most tasks left.
/// Nothing moves while all are equally fast; where another process slows a core down, the others take over.
///
/// Law: each task is taken once, by whomever (test: tests/backend/task_shares_test.cpp).
class TaskShares {
public:
    explicit TaskShares(int ranks) : ends_(static_cast<std::size_t>(ranks)) {}

    /// Deals `count_of(rank)` tasks to each rank. Before a job's ranks begin.
    template <class F>
    void deal(const F& count_of) {
        for (int rank = 0; rank < ranks(); ++rank)
            at(rank).store(join(0, static_cast<std::uint32_t>(count_of(rank))), std::memory_order_relaxed);
    }

    /// The next task for `rank`; false when all are taken.
    Task take(int rank) {
        for (std::uint64_t ends = at(rank).load(std::memory_order_relaxed); left(ends) > 0;)
            if (at(rank).compare_exchange_weak(ends, ends + 1, std::memory_order_relaxed))
                return {rank, static_cast<int>(front(ends))};
        for (int slowest = most_left(); slowest >= 0; slowest = most_left()) {
            std::uint64_t ends = at(slowest).load(std::memory_order_relaxed);
            if (left(ends) == 0) continue;
            const std::uint32_t last = back(ends) - 1;
            if (at(slowest).compare_exchange_weak(ends, join(front(ends), last), std::memory_order_relaxed))
                return {slowest, static_cast<int>(last)};
        }
        return {};
    }

private:
    // Both ends of a share are one number, so that they change together: the first task that is left, and behind the
    // last.
    static constexpr std::uint64_t join(std::uint32_t front, std::uint32_t back) {
        return front | static_cast<std::uint64_t>(back) << 32;
    }
    static constexpr std::uint32_t front(std::uint64_t ends) { return static_cast<std::uint32_t>(ends); }
    static constexpr std::uint32_t back(std::uint64_t ends) { return static_cast<std::uint32_t>(ends >> 32); }
    static constexpr std::uint32_t left(std::uint64_t ends) { return back(ends) - front(ends); }

    int ranks() const { return static_cast<int>(ends_.size()); }
    std::atomic<std::uint64_t>& at(int rank) { return ends_[static_cast<std::size_t>(rank)].value; }

    /// The share with most tasks left; -1 if there are none.
    int most_left() {
        int best = -1;
        std::uint32_t most = 0;
        for (int rank = 0; rank < ranks(); ++rank) {
            const std::uint32_t tasks = left(at(rank).load(std::memory_order_relaxed));
            if (tasks > most) {
                most = tasks;
                best = rank;
            }
        }
        return best;
    }

    struct alignas(64) Ends {
        std::atomic<std::uint64_t> value{0};
    };
    std::vector<Ends> ends_;
};

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon
