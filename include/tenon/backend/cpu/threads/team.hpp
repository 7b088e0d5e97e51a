#pragma once
// IWYU pragma: private, include <tenon/inference.hpp>

// A team of threads that works on one step at a time: the calling thread, and helpers from oneTBB.

#include <algorithm>
#include <memory>
#include <string>

#include <tenon/backend/cpu/threads/helper_threads.hpp>
#include <tenon/backend/cpu/threads/job_board.hpp>
#include <tenon/backend/cpu/threads/task_shares.hpp>
#include <tenon/core/available_threads.hpp>
#include <tenon/core/error.hpp>
#include <tenon/core/sentence.hpp>
#include <tenon/core/task_arena.hpp>

namespace tenon::cpu {
inline namespace TENON_ISA_NAMESPACE {

/// A half-open range of indices.
struct Range {
    int begin = 0, end = 0;
    bool empty() const { return begin >= end; }
    int size() const { return end - begin; }
    bool operator==(const Range&) const = default;
};

/// The share of `worker` among `size` workers in [0, count): contiguous, larger shares first.
/// Example: share(10, worker, 4) -> [0, 3), [3, 6), [6, 8), [8, 10).
inline Range share(int count, int worker, int size) {
    const int base = count / size, extra = count % size;
    const int begin = worker * base + std::min(worker, extra);
    return {begin, begin + base + (worker < extra ? 1 : 0)};
}

/// Items that are dealt to the workers of a step in contiguous parts: what take_item() needs to know.
struct Items {
    int count = 0, parts = 1;
};

/// The tasks that a worker's part of a step is cut into, where possible: a helper takes one at a time.
inline constexpr int tasks_per_part = 8;

/// Sees what a team does, for measurements (report/trace/recorder.hpp). Several workers may be in part() at once.
class StepRecorder {
public:
    virtual void begin(int step, int images) = 0;
    virtual void end(int step) = 0;
    /// Must call work(worker, size) once.
    virtual void part(int worker, int size, detail::FunctionRef<void(int worker, int size)> work) = 0;

protected:
    ~StepRecorder() = default;
};

/// A fixed number of workers that run the same function, each on a share of its own; a worker that is done takes over
/// tasks of others. The results depend neither on the number of workers nor on which worker computes what. The threads
/// are oneTBB's; they stay awake for a moment after a step, as waking one takes longer than a step of a small network.
///
/// A helper group is a team of one thread, the caller's, with places for volunteers: threads that have nothing else to
/// do and join between two steps.
///
/// Law: a step is done when run() returns, however many threads there are (test: tests/backend/team_test.cpp).
class Team {
public:
    /// `threads` of 0 means one per core this process may use, and no more than its container has time for; where the
    /// system gives it no more threads, the team has one. Throws tenon::Error for a negative number, and for more than
    /// max_threads.
    explicit Team(int threads) : Team{has_threads(checked(threads)) ? checked(threads) : 1, true} {}

    /// No thread is in the code of the library for this team afterwards.
    ~Team() {
        if (board_) board_->close();
    }
    Team(Team&&) = default;

    /// A helper group: the caller's thread and room for volunteers, `max_workers` threads in all.
    static Team helper_group(int max_workers) {
        Team team{checked(max_workers), false};
        return team;
    }

    /// The number of workers of the next step; in a helper group, the caller and the volunteers that are there now.
    int size() const { return helpers_ ? max_workers_ : std::min(max_workers_, 1 + board_->volunteers()); }

    /// Calls f(worker, size) once for each worker, at the same time where threads are free, and returns when all calls
    /// have returned. To be called by one thread at a time.
    void run(detail::FunctionRef<void(int worker, int size)> f) const {
        const int workers = size();
        if (workers == 1) return f(0, 1);
        if (recorder_) return record(f, workers);
        run_all(f, workers);
    }

    /// Reports the workers' parts of later steps, unless there is only one worker, to a recorder; to none if it is
    /// null.
    void record_with(StepRecorder* recorder) { recorder_ = recorder; }

    /// Works on the steps of a helper group while `is_wanted()`; called by a thread other than the group's own.
    void volunteer(detail::FunctionRef<bool()> is_wanted) const { board_->volunteer(is_wanted); }

    /// Deals `count_of(part)` tasks for each of `parts` parts, at most one part per worker, for the next step to take.
    void deal(int parts, detail::FunctionRef<int(int part)> count_of) const {
        shares_->deal([&](int part) { return part < parts ? count_of(part) : 0; });
    }

    /// The next of the dealt tasks for `worker`; false when all are taken.
    Task take(int worker) const { return shares_->take(worker); }

    /// Calls f(i) once for each i in [0, count), in contiguous shares of at most `tasks_per_part` tasks.
    void for_each(int count, detail::FunctionRef<void(int i)> f) const {
        const auto tasks_of = [&](const Range& mine) { return std::min(mine.size(), tasks_per_part); };
        const int parts = size();
        deal(parts, [&](int part) { return tasks_of(share(count, part, parts)); });
        run([&](int worker, int) {
            while (const Task task = take(worker)) {
                const Range all = share(count, task.share, parts);
                const Range mine = share(all.size(), task.index, tasks_of(all));
                for (int i = mine.begin; i < mine.end; ++i) f(all.begin + i);
            }
        });
    }

    /// Deals [0, count) to the workers of the next step, one task per item. Returns what take_item() needs to know.
    Items deal_items(int count) const {
        const Items items{count, size()};
        deal(items.parts, [&](int part) { return share(count, part, items.parts).size(); });
        return items;
    }

    /// The next of the dealt items for `worker`; -1 when all are taken.
    int take_item(const Items& items, int worker) const {
        const Task task = take(worker);
        return task ? share(items.count, task.share, items.parts).begin + task.index : -1;
    }

private:
    Team(int workers, bool has_helpers)
        : board_{std::make_unique<JobBoard>(workers)},
          shares_{std::make_unique<TaskShares>(workers)},
          max_workers_{workers} {
        if (has_helpers) helpers_ = std::make_unique<HelperThreads>(workers);
    }

    void run_all(detail::FunctionRef<void(int, int)> f, int workers) const {
        using F = decltype(f);
        board_->run([](const void* context, int worker, int size) { (*static_cast<const F*>(context))(worker, size); },
                    &f, workers,
                    [this](int home) {
                        if (helpers_) helpers_->call([board = board_.get(), home] { board->help(home); });
                    });
    }

    void record(detail::FunctionRef<void(int, int)> f, int workers) const {
        run_all([&](int worker, int size) { recorder_->part(worker, size, f); }, workers);
    }

    static bool has_threads(int wanted) { return wanted == 1 || threads_to_be_had() >= helpers_of_tbb(); }

    /// More than any machine has; a mistaken number would take the memory of as many threads.
    static constexpr int max_threads = 1024;

    static int checked(int threads) {
        if (threads < 0 || threads > max_threads)
            detail::throw_error({"a model cannot run on ", std::to_string(threads), " threads; give 1 to ",
                                 std::to_string(max_threads), ", or 0 for all cores"});
        return threads > 0 ? threads : std::min(detail::available_threads(), max_threads);
    }

    std::unique_ptr<JobBoard> board_;
    std::unique_ptr<TaskShares> shares_;
    int max_workers_;
    StepRecorder* recorder_ = nullptr;
    std::unique_ptr<HelperThreads> helpers_;  // after board_, on which they work; a helper group has none
};

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::cpu
