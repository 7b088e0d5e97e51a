#pragma once
// IWYU pragma: private, include <tenon/inference.hpp>

// Threads that work on one step at a time: a team has its own, a helper group is joined by those that are idle.

#include <memory>
#include <string>

#include <tenon/backend/cpu/threads/helper_threads.hpp>
#include <tenon/backend/cpu/threads/workers.hpp>
#include <tenon/core/available_threads.hpp>
#include <tenon/core/cold.hpp>
#include <tenon/core/min_max.hpp>
#include <tenon/core/sentence.hpp>
#include <tenon/core/task_arena.hpp>

namespace tenon::cpu {
inline namespace TENON_ISA_NAMESPACE {

/// Workers of a fixed number: the calling thread, and helpers from oneTBB. They stay awake for a moment after a step,
/// as waking one takes longer than a step of a small network.
class Team final : public Workers {
public:
    /// `threads` of 0 means one per core this process may use, and no more than its container has time for; where the
    /// system gives it no more threads, the team has one. Throws tenon::Error for a negative number, and for more than
    /// max_threads.
    TENON_RUNS_ONCE explicit Team(int threads)
        : Workers{size_of(threads)}, helpers_{std::make_unique<HelperThreads>(max_workers())} {}

    /// No thread is in the code of the library for this team afterwards.
    TENON_RUNS_ONCE ~Team() override {
        if (board_) board_->close();
    }
    Team(Team&&) = default;

    int size() const override { return max_workers(); }

private:
    /// More than any machine has; a mistaken number would take the memory of as many threads.
    static constexpr int max_threads = 1024;

    static int size_of(int threads) {
        if (threads < 0 || threads > max_threads)
            detail::throw_error(
                {"a model cannot run on ", threads, " threads; give 1 to ", max_threads, ", or 0 for all cores"});
        const int wanted = threads > 0 ? threads : std::min(detail::available_threads(), max_threads);
        return wanted == 1 || threads_to_be_had() >= helpers_of_tbb() ? wanted : 1;
    }

    void call_helper(int home) override {
        helpers_->call([board = board_.get(), home] { board->help(home); });
    }

    std::unique_ptr<HelperThreads> helpers_;  // goes before the board, on which they work
};

/// Workers whose number changes from step to step: the calling thread, and volunteers, threads that have nothing else
/// to do and join between two steps.
class HelperGroup final : public Workers {
public:
    /// The caller's thread and room for volunteers, `max_workers` threads in all.
    explicit HelperGroup(int max_workers) : Workers{max_workers} {}
    ~HelperGroup() override { board_->close(); }

    /// The caller and the volunteers that are there now.
    int size() const override { return std::min(max_workers(), 1 + board_->volunteers()); }

    /// Works on the steps of the group while `is_wanted()`; called by a thread other than the group's own.
    void volunteer(detail::FunctionRef<bool()> is_wanted) { board_->volunteer(is_wanted); }

private:
    void call_helper(int) override {}  // who volunteers looks at the board
};

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::cpu
