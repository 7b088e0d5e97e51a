#pragma once
// IWYU pragma: private, include <tenon/inference.hpp>

// The tasks of a step, divided among the workers of a team; a worker that is done first helps the slower ones.

#include <atomic>
#include <cstdint>
#include <vector>

#include <tenon/core/function_ref.hpp>
#include <tenon/core/index.hpp>
#include <tenon/core/isa.hpp>

namespace tenon::cpu {

/// One task of a job: the worker it was dealt to (`share`), and its index among that worker's tasks.
struct Task {
    int share = -1, index = 0;
    explicit operator bool() const { return share >= 0; }
};

inline namespace TENON_ISA_NAMESPACE {

/// A share of tasks for each worker. A worker takes its own tasks from the front, so that neighboring tasks follow each
/// other and it meets the same data from step to step; after its last one it takes from the back of the share with the
/// most tasks left. No task changes hands while all workers are equally fast; where another process slows a core down,
/// the other workers take over.
///
/// Law: each task is taken exactly once, whoever takes it (test: tests/backend/cpu/task_shares_test.cpp).
class TaskShares {
public:
    explicit TaskShares(int workers) : ends_(detail::index(workers)) {}

    /// Deals `count_of(worker)` tasks to each worker. Call it before the workers of a job start.
    void deal(detail::FunctionRef<int(int)> count_of) {
        for (int worker = 0; worker < workers(); ++worker)
            at(worker).store(join(0, static_cast<std::uint32_t>(count_of(worker))), std::memory_order_relaxed);
    }

    /// The next task for `worker`; false when all are taken.
    Task take(int worker) {
        for (std::uint64_t ends = at(worker).load(std::memory_order_relaxed); left(ends) > 0;)
            if (at(worker).compare_exchange_weak(ends, ends + 1, std::memory_order_relaxed))
                return {worker, static_cast<int>(front(ends))};
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
    // Both ends of a share are one number, so that they change together: the index of the first task that is left, and
    // the index after the last.
    static constexpr std::uint64_t join(std::uint32_t front, std::uint32_t back) {
        return front | static_cast<std::uint64_t>(back) << 32;
    }
    static constexpr std::uint32_t front(std::uint64_t ends) { return static_cast<std::uint32_t>(ends); }
    static constexpr std::uint32_t back(std::uint64_t ends) { return static_cast<std::uint32_t>(ends >> 32); }
    static constexpr std::uint32_t left(std::uint64_t ends) { return back(ends) - front(ends); }

    int workers() const { return static_cast<int>(ends_.size()); }
    std::atomic<std::uint64_t>& at(int worker) { return ends_[detail::index(worker)].value; }

    /// The share with the most tasks left; -1 if no tasks are left.
    int most_left() {
        int best = -1;
        std::uint32_t max_tasks = 0;
        for (int worker = 0; worker < workers(); ++worker) {
            const std::uint32_t tasks = left(at(worker).load(std::memory_order_relaxed));
            if (tasks > max_tasks) {
                max_tasks = tasks;
                best = worker;
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
}  // namespace tenon::cpu
