#pragma once
// IWYU pragma: private, include <tenon/inference.hpp>

// What kernels see of the threads that work on a step: calls that divide its work among them.

#include <memory>

#include <tenon/backend/cpu/threads/job_board.hpp>
#include <tenon/backend/cpu/threads/task_shares.hpp>
#include <tenon/core/cold.hpp>
#include <tenon/core/min_max.hpp>

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

/// The tasks that a worker's part of a step is cut into, where possible: a helper takes one at a time.
inline constexpr int tasks_per_part = 8;

/// Sees what workers do, for measurements (report/trace/recorder.hpp). Several of them may be in part() at once.
class StepRecorder {
public:
    virtual void begin(int step, int images) = 0;
    virtual void end(int step) = 0;
    /// Must call work(worker, size) once.
    virtual void part(int worker, int size, detail::FunctionRef<void(int worker, int size)> work) = 0;

protected:
    ~StepRecorder() = default;
};

/// The tasks of a step, as one of its workers takes them: its own first, then those of slower ones.
class WorkerTasks {
public:
    WorkerTasks(TaskShares& shares, int index, int size) : worker{index}, workers{size}, shares_{shares} {}

    const int worker, workers;  ///< which one this is, of how many

    /// The next task; false when all are taken.
    Task next() { return shares_.take(worker); }

private:
    TaskShares& shares_;
};

/// The items of a step, as one of its workers takes them.
class WorkerItems {
public:
    WorkerItems(WorkerTasks& tasks, int count, int parts)
        : worker{tasks.worker}, workers{tasks.workers}, tasks_{tasks}, count_{count}, parts_{parts} {}

    const int worker, workers;  ///< which one this is, of how many

    /// The next item; -1 when all are taken.
    int next() {
        const Task task = tasks_.next();
        return task ? share(count_, task.share, parts_).begin + task.index : -1;
    }

private:
    WorkerTasks& tasks_;
    int count_, parts_;
};

/// A fixed number of workers that run the same function, each on a share of its own; a worker that is done takes over
/// tasks of others. The results depend neither on the number of workers nor on which worker computes what. A Team or a
/// HelperGroup says which threads they are.
///
/// Law: a step is done when a call returns, however many threads there are (test: tests/backend/cpu/team_test.cpp).
class Workers {
public:
    virtual ~Workers() = default;

    /// The number of workers of the next step.
    virtual int size() const = 0;

    /// Calls f(worker, size) once for each worker, at the same time where threads are free, and returns when all calls
    /// have returned. Only one thread at a time may call this or the other functions.
    void run(detail::FunctionRef<void(int worker, int size)> f) {
        const int workers = size();
        if (workers == 1) return f(0, 1);
        if (recorder_) return record(f, workers);
        run_all(f, workers);
    }

    /// Reports the workers' parts of later steps, unless there is only one worker, to a recorder; to none if it is
    /// null.
    void record_with(StepRecorder* recorder) { recorder_ = recorder; }

    /// Divides `count_of(part)` tasks for each of `parts` parts, at most one part per worker, and calls f once for each
    /// worker, which takes tasks until there are none left.
    void run_tasks(int parts, detail::FunctionRef<int(int part)> count_of, detail::FunctionRef<void(WorkerTasks&)> f) {
        shares_->deal([&](int part) { return part < parts ? count_of(part) : 0; });
        run([&](int worker, int workers) {
            WorkerTasks tasks{*shares_, worker, workers};
            f(tasks);
        });
    }

    /// The same for the items [0, count), each a task, in contiguous parts.
    void run_items(int count, detail::FunctionRef<void(WorkerItems&)> f) {
        const int parts = size();
        run_tasks(
            parts, [&](int part) { return share(count, part, parts).size(); },
            [&](WorkerTasks& tasks) {
                WorkerItems items{tasks, count, parts};
                f(items);
            });
    }

    /// Calls f(i) once for each i in [0, count), in contiguous shares of at most `tasks_per_part` tasks.
    void for_each(int count, detail::FunctionRef<void(int i)> f) {
        const auto tasks_of = [&](const Range& mine) { return std::min(mine.size(), tasks_per_part); };
        const int parts = size();
        run_tasks(
            parts, [&](int part) { return tasks_of(share(count, part, parts)); },
            [&](WorkerTasks& tasks) {
                while (const Task task = tasks.next()) {
                    const Range all = share(count, task.share, parts);
                    const Range mine = share(all.size(), task.index, tasks_of(all));
                    for (int i = mine.begin; i < mine.end; ++i) f(all.begin + i);
                }
            });
    }

protected:
    TENON_RUNS_ONCE explicit Workers(int max_workers)
        : board_{std::make_unique<JobBoard>(max_workers)},
          shares_{std::make_unique<TaskShares>(max_workers)},
          max_workers_{max_workers} {}
    Workers(Workers&&) = default;

    int max_workers() const { return max_workers_; }

    /// Asks a thread to help at `home`, a place on the board; it need not come.
    virtual void call_helper(int home) = 0;

    std::unique_ptr<JobBoard> board_;

private:
    void run_all(detail::FunctionRef<void(int, int)> f, int workers) {
        using F = decltype(f);
        board_->run([](const void* context, int worker, int size) { (*static_cast<const F*>(context))(worker, size); },
                    &f, workers, [this](int home) { call_helper(home); });
    }

    void record(detail::FunctionRef<void(int, int)> f, int workers) {
        run_all([&](int worker, int size) { recorder_->part(worker, size, f); }, workers);
    }

    std::unique_ptr<TaskShares> shares_;
    int max_workers_;
    StepRecorder* recorder_ = nullptr;
};

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::cpu
