#pragma once
// IWYU pragma: private, include <tenon/inference.hpp>

// How a thread shares a job with helpers that come when they can. The thread publishes the job; every thread that has
// time claims workers of it and runs them; the publisher runs those that nobody claimed.

#include <atomic>
#include <cstdint>
#include <thread>
#include <vector>

#include <tenon/core/float_environment.hpp>
#include <tenon/core/function_ref.hpp>
#include <tenon/core/index.hpp>
#include <tenon/core/isa.hpp>
#include <tenon/core/monotonic_time.hpp>

namespace tenon::cpu {
inline namespace TENON_ISA_NAMESPACE {

/// Tells the processor that a loop only waits.
inline void pause_thread() {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    asm volatile("yield");
#endif
}

/// One job at a time, run as several workers that may run at once. A helper starts with the worker at its home index,
/// so that a core meets the same data from job to job. No job waits for a helper that has not come: with no helper at
/// all, the publisher runs every worker.
class JobBoard {
public:
    using Function = void (*)(const void* context, int worker, int workers);

    /// For jobs of at most `max_workers` workers.
    explicit JobBoard(int max_workers) : places_(detail::index(max_workers)) {}

    /// How many threads are in volunteer() now.
    int volunteers() const { return volunteers_.load(std::memory_order_relaxed); }

    /// Calls function(context, worker, workers) once for each worker and returns when all calls have returned. All
    /// threads round and flush as the calling one does. `call(home)` must make some thread call help(home), now or
    /// later. Only one thread at a time may call this.
    ///
    /// Law: results are the same bits for any number of threads in any environment of the caller's
    /// (test: tests/runtime/determinism_test.cpp).
    void run(Function function, const void* context, int workers, detail::FunctionRef<void(int)> call) {
        const std::uint64_t job = (job_.load(std::memory_order_relaxed) & ~workers_mask) + (workers_mask + 1) +
                                  static_cast<std::uint64_t>(workers);
        function_ = function;
        context_ = context;
        environment_ = detail::FloatEnvironment::current();
        done_.store(0, std::memory_order_relaxed);
        job_.store(job, std::memory_order_release);
        for (int home = 1; home < workers; ++home)
            if (!place(home).has_helper.exchange(true, std::memory_order_relaxed)) call(home);
        work(0, job);
        for (int spins = 0; done_.load(std::memory_order_acquire) < workers; ++spins) wait(spins);
    }

    /// Runs jobs until there has been none for 200 microseconds: a thread that publishes one job after another finds
    /// its helpers awake.
    void help(int home) {
        constexpr double patience = 200e-6;
        std::uint64_t seen = 0;
        double since = detail::monotonic_seconds();
        for (int spins = 0; !closed_.load(std::memory_order_relaxed); ++spins) {
            const std::uint64_t job = job_.load(std::memory_order_acquire);
            if (job != seen) {
                seen = job;
                if (work(home, job)) {
                    spins = 0;
                    since = detail::monotonic_seconds();
                }
            }
            if (spins % 64 == 63 && detail::monotonic_seconds() - since > patience) break;
            wait(spins);
        }
        place(home).has_helper.store(false, std::memory_order_relaxed);
    }

    /// Runs jobs while `is_wanted()`; returns at once if all places but the publisher's are taken by volunteers.
    void volunteer(detail::FunctionRef<bool()> is_wanted) {
        const int home = 1 + volunteers_.fetch_add(1, std::memory_order_relaxed);
        const bool has_place = home < static_cast<int>(places_.size());
        std::uint64_t seen = 0;
        for (int spins = 0; has_place && is_wanted(); ++spins) {
            const std::uint64_t job = job_.load(std::memory_order_acquire);
            if (job != seen) {
                seen = job;
                if (work(home, job)) spins = 0;
            }
            wait(spins);
        }
        volunteers_.fetch_sub(1, std::memory_order_relaxed);
    }

    /// Makes all helpers return from help().
    void close() { closed_.store(true, std::memory_order_relaxed); }

private:
    struct alignas(64) Place {
        std::atomic<std::uint64_t> claimed{0};  ///< the last job in which the worker was claimed
        std::atomic<bool> has_helper{false};
    };

    static constexpr std::uint64_t workers_mask = 0xffff;

    Place& place(int worker) { return places_[detail::index(worker)]; }

    /// Runs the workers of a job that nobody has claimed, starting at `home`; returns whether there was one. function_,
    /// context_ and environment_ are read only after a claim: until that worker is done, no other job can replace this
    /// one.
    bool work(int home, std::uint64_t job) {
        const int workers = static_cast<int>(job & workers_mask);
        bool any = false;
        for (int i = 0; i < workers; ++i) {
            const int worker = (home + i) % workers;
            std::uint64_t before = place(worker).claimed.load(std::memory_order_relaxed);
            if (before >= job) continue;
            if (!place(worker).claimed.compare_exchange_strong(before, job, std::memory_order_acquire)) continue;
            {
                const detail::InFloatEnvironment of_publisher{environment_};
                function_(context_, worker, workers);
            }
            done_.fetch_add(1, std::memory_order_release);
            any = true;
        }
        return any;
    }

    static void wait(int spins) {
        if (spins < 2000)
            pause_thread();
        else
            std::this_thread::yield();  // there may be more threads than cores
    }

    // Written by all workers; kept in a cache line of its own, away from what they only read.
    alignas(64) std::atomic<int> done_{0};
    std::atomic<bool> closed_{false};
    std::atomic<int> volunteers_{0};
    alignas(64) std::atomic<std::uint64_t> job_{
        0};  ///< the job's number, and below it its workers: one reading has both
    Function function_ = nullptr;
    const void* context_ = nullptr;
    detail::FloatEnvironment environment_;
    std::vector<Place> places_;
};

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::cpu
