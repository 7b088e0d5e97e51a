// A team of threads that works on one step at a time: the caller's, and helpers from oneTBB.
#pragma once

#include <algorithm>
#include <memory>
#include <string>

#include <tbb/task_arena.h>

#include <tenon/backend/cpu/job_board.hpp>
#include <tenon/backend/cpu/task_shares.hpp>
#include <tenon/core/error.hpp>

namespace tenon {
inline namespace TENON_ISA_NAMESPACE {

/// A half-open range of indices.
struct Range {
    int begin = 0, end = 0;
    bool empty() const { return begin >= end; }
    int size() const { return end - begin; }
    bool operator==(const Range&) const = default;
};

/// The share of `rank` among `size` in [0, count): contiguous, the larger shares first.
inline Range share(int count, int rank, int size) {
    const int base = count / size, extra = count % size;
    const int begin = rank * base + std::min(rank, extra);
    return {begin, begin + base + (rank < extra ? 1 : 0)};
}

/// Tasks that a rank's part of a step is cut into, where it can be: who helps a slower rank takes one at a time.
inline constexpr int tasks_per_part = 8;

/// A fixed number of ranks that run the same function, each on its share, of which others may take over tasks. What is
/// computed does not depend on the number of ranks nor on who computes it. Threads are oneTBB's; they stay for a moment
/// behind a step, as waking one takes longer than a small network's step.
///
/// Law: a step is done when run() returns, however many threads there really are (test: tests/backend/team_test.cpp).
class Team {
public:
    /// `threads` of 0 means one per core this process may use. Throws tenon::Error for a negative number.
    explicit Team(int threads)
        : arena_{checked(threads)},
          board_{std::make_shared<JobBoard>(checked(threads))},
          shares_{std::make_unique<TaskShares>(checked(threads))},
          size_{checked(threads)} {}

    ~Team() {
        if (board_) board_->close();
    }
    Team(Team&&) = default;

    int size() const { return size_; }

    /// Calls f(rank, size) once for each rank, at the same time where threads are free, and returns when all have
    /// returned. From one thread at a time.
    template <class F>
    void run(const F& f) const {
        if (size_ == 1) return f(0, 1);
        board_->run([](const void* context, int rank, int size) { (*static_cast<const F*>(context))(rank, size); }, &f,
                    [this](int home) { arena_.enqueue([board = board_, home] { board->help(home); }); });
    }

    /// Deals `count_of(rank)` tasks to each rank and calls f(rank, size, take) once for each: take() is the next Task
    /// for that rank, false when all are taken.
    template <class Count, class F>
    void run_tasks(const Count& count_of, const F& f) const {
        shares_->deal(count_of);
        run([&](int rank, int size) { f(rank, size, [&] { return shares_->take(rank); }); });
    }

    /// Calls f(i) once for each i in [0, count), in contiguous shares of at most `tasks_per_part` tasks.
    template <class F>
    void for_each(int count, const F& f) const {
        const auto tasks_of = [&](const Range& mine) { return std::min(mine.size(), tasks_per_part); };
        run_tasks([&](int rank) { return tasks_of(share(count, rank, size_)); },
                  [&](int, int, const auto& take) {
                      while (const Task task = take()) {
                          const Range all = share(count, task.share, size_);
                          const Range mine = share(all.size(), task.index, tasks_of(all));
                          for (int i = mine.begin; i < mine.end; ++i) f(all.begin + i);
                      }
                  });
    }

private:
    static int checked(int threads) {
        if (threads < 0)
            throw Error("a model cannot run on " + std::to_string(threads) +
                        " threads; give 1 or more, or 0 for all cores");
        return threads > 0 ? threads : std::max(1, tbb::this_task_arena::max_concurrency());
    }

    mutable tbb::task_arena arena_;
    std::shared_ptr<JobBoard> board_;  // helpers may outlive the team for a moment
    std::unique_ptr<TaskShares> shares_;
    int size_;
};

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon
