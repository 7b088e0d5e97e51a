// How a thread shares a job with helpers that come when they can: it publishes the job, everyone claims ranks of it,
// and it does itself what nobody has claimed.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <thread>
#include <vector>

#include <tenon/core/isa.hpp>

namespace tenon {
inline namespace TENON_ISA_NAMESPACE {

/// Tells the processor that a loop only waits.
inline void pause_thread() {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    asm volatile("yield");
#endif
}

/// One job at a time, in ranks that may run at once. A helper begins with the rank it is at home in, so that a core
/// meets the same data from job to job. Nothing waits for a helper that has not come, so any number of them, also none,
/// will do.
class JobBoard {
public:
    using Function = void (*)(const void* context, int rank, int ranks);

    /// For jobs of at most so many ranks.
    explicit JobBoard(int most_ranks) : places_(static_cast<std::size_t>(most_ranks)) {}

    /// Threads that are in volunteer().
    int volunteers() const { return volunteers_.load(std::memory_order_relaxed); }

    /// Calls function(context, rank, ranks) once for each rank and returns when all have returned. `call(home)` has to
    /// make some thread call help(home), now or later. From one thread at a time.
    template <class Call>
    void run(Function function, const void* context, int ranks, const Call& call) {
        const std::uint64_t job =
            (job_.load(std::memory_order_relaxed) & ~ranks_mask) + (ranks_mask + 1) + static_cast<std::uint64_t>(ranks);
        function_ = function;
        context_ = context;
        done_.store(0, std::memory_order_relaxed);
        job_.store(job, std::memory_order_release);
        for (int home = 1; home < ranks; ++home)
            if (!place(home).has_helper.exchange(true, std::memory_order_relaxed)) call(home);
        work(0, job);
        for (int spins = 0; done_.load(std::memory_order_acquire) < ranks; ++spins) wait(spins);
    }

    /// Works on jobs until there has been none for a moment: those who publish jobs one after the other find their
    /// helpers awake.
    void help(int home) {
        using Clock = std::chrono::steady_clock;
        constexpr auto patience = std::chrono::microseconds(200);
        std::uint64_t seen = 0;
        Clock::time_point since = Clock::now();
        for (int spins = 0; !closed_.load(std::memory_order_relaxed); ++spins) {
            const std::uint64_t job = job_.load(std::memory_order_acquire);
            if (job != seen) {
                seen = job;
                if (work(home, job)) {
                    spins = 0;
                    since = Clock::now();
                }
            }
            if (spins % 64 == 63 && Clock::now() - since > patience) break;
            wait(spins);
        }
        place(home).has_helper.store(false, std::memory_order_relaxed);
    }

    /// Works on jobs while `is_wanted()`; returns at once if there are as many volunteers as further ranks.
    template <class Wanted>
    void volunteer(const Wanted& is_wanted) {
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

    /// Sends the helpers away.
    void close() { closed_.store(true, std::memory_order_relaxed); }

private:
    struct alignas(64) Place {
        std::atomic<std::uint64_t> claimed{0};  ///< the last job in which the rank was claimed
        std::atomic<bool> has_helper{false};
    };

    static constexpr std::uint64_t ranks_mask = 0xffff;

    Place& place(int rank) { return places_[static_cast<std::size_t>(rank)]; }

    /// Runs a job's ranks that nobody has claimed, from `home` on; returns whether there was one. What belongs to the
    /// job is read behind a claim: until its rank is done, no other job takes its place.
    bool work(int home, std::uint64_t job) {
        const int ranks = static_cast<int>(job & ranks_mask);
        bool any = false;
        for (int i = 0; i < ranks; ++i) {
            const int rank = (home + i) % ranks;
            std::uint64_t before = place(rank).claimed.load(std::memory_order_relaxed);
            if (before >= job) continue;
            if (!place(rank).claimed.compare_exchange_strong(before, job, std::memory_order_acquire)) continue;
            function_(context_, rank, ranks);
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

    // Written by all ranks; what they only read lies apart.
    alignas(64) std::atomic<int> done_{0};
    std::atomic<bool> closed_{false};
    std::atomic<int> volunteers_{0};
    alignas(64) std::atomic<std::uint64_t> job_{0};  ///< the job's number, and below it its ranks: one reading has both
    Function function_ = nullptr;
    const void* context_ = nullptr;
    std::vector<Place> places_;
};

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon
