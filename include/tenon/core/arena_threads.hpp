#pragma once
// IWYU pragma: private, include <tenon/inference.hpp>

// Who is in a task arena, so that its owner can end when nobody is.

#include <atomic>
#include <thread>

#include <unistd.h>

// clang-format off
#include <tenon/core/task_arena.hpp>  // first: it keeps headers of intrinsics out

#include <tbb/task_scheduler_observer.h>
// clang-format on

#include <tenon/core/isa.hpp>

namespace tenon::detail {
inline namespace TENON_ISA_NAMESPACE {

/// Waits in its destructor until oneTBB's threads have left an arena, all of whose tasks are done.
///
/// Law: when this object is gone, no thread is in a task of the arena, nor in anything else of the library that holds
/// its code: a plug-in may be unloaded then (test: tests/backend/cpu/unload).
class ArenaThreads final : public tbb::task_scheduler_observer {
public:
    /// For an arena that has no tasks yet, and outlives this object.
    explicit ArenaThreads(tbb::task_arena& arena) : tbb::task_scheduler_observer{arena} { observe(true); }
    ArenaThreads(const ArenaThreads&) = delete;
    ArenaThreads& operator=(const ArenaThreads&) = delete;
    ~ArenaThreads() override {
        if (!are_of_this_process()) return;
        // A thread that has left the arena is in oneTBB's code, and observe(false) returns when none is in a callback.
        while (inside_ > 0) std::this_thread::yield();
        observe(false);
    }

    /// False in a child after fork(), which has none of its parent's threads.
    bool are_of_this_process() const { return ::getpid() == process_; }

    void on_scheduler_entry(bool is_worker) override {
        if (is_worker) ++inside_;
    }
    void on_scheduler_exit(bool is_worker) override {
        if (is_worker) --inside_;
    }

private:
    const pid_t process_ = ::getpid();
    std::atomic<int> inside_{0};
};

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::detail
