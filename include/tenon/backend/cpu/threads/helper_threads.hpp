#pragma once
// IWYU pragma: private, include <tenon/inference.hpp>

// The threads of oneTBB that help a team, and the wait that leaves none of them in it when the team is destroyed.

#include <atomic>
#include <list>
#include <mutex>
#include <system_error>
#include <thread>

// clang-format off
#include <tenon/core/task_arena.hpp>  // first: it keeps headers of intrinsics out

#include <tbb/info.h>
#include <tbb/task_group.h>
// clang-format on

#include <tenon/core/arena_threads.hpp>
#include <tenon/core/isa.hpp>

namespace tenon::cpu {
inline namespace TENON_ISA_NAMESPACE {

/// How many threads oneTBB makes.
inline int helpers_of_tbb() { return tbb::info::default_concurrency() - 1; }

/// How many threads this process can make, at most helpers_of_tbb(); found once. In a container with a limit, for
/// example, oneTBB throws or ends the program when it can't make one of those that it counts on.
template <class Once = void>
int threads_to_be_had() {
    static const int count = [] {
        std::list<std::thread> threads;
        std::mutex all_there;
        {
            const std::lock_guard keeps_them{all_there};
            try {
                for (int i = 0; i < helpers_of_tbb(); ++i)
                    threads.emplace_back([&] { const std::lock_guard waits{all_there}; });
            } catch (const std::system_error&) {  // no more of them
            }
        }
        for (std::thread& thread : threads) thread.join();
        return static_cast<int>(threads.size());
    }();
    return count;
}

/// Runs functions on threads of oneTBB as they become free. When this object is gone, no thread is in a function
/// that it was given, nor anywhere else in this library's code (ArenaThreads).
class HelperThreads {
public:
    /// For a calling thread and `threads` - 1 helpers.
    explicit HelperThreads(int threads) : arena_{threads}, inside_{arena_} {}
    HelperThreads(const HelperThreads&) = delete;
    HelperThreads& operator=(const HelperThreads&) = delete;

    /// Waits for the functions that have not returned, which must not take long by now.
    ~HelperThreads() {
        if (waiting_ > 0 && inside_.are_of_this_process()) run_waiting();
    }

    /// Makes a thread call f() soon; false when no thread can be made.
    template <class F>
    bool call(const F& f) {
        waiting_.fetch_add(1);
        try {
            arena_.enqueue([this, f] {
                f();
                if (waiting_.fetch_sub(1) == 1) release();
            });
            return true;
        } catch (...) {  // of the system, when oneTBB can't make its first thread
            waiting_.fetch_sub(1);
            return false;
        }
    }

private:
    /// Runs the functions that no thread has come for, and waits for the others. A group waits for a task that is never
    /// run but given up by the last function; meanwhile its thread takes what the arena's queue has.
    void run_waiting() {
        arena_.execute([this] {
            tbb::task_group group;
            tbb::task_handle nothing = group.defer([] {});
            held_.store(&nothing);
            if (waiting_ == 0) release();
            group.wait();
        });
    }
    void release() {
        if (tbb::task_handle* const nothing = held_.exchange(nullptr)) *nothing = {};
    }

    std::atomic<int> waiting_{0};
    std::atomic<tbb::task_handle*> held_{nullptr};
    tbb::task_arena arena_;
    detail::ArenaThreads inside_;
};

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::cpu
