#pragma once
// IWYU pragma: private, include <tenon/report.hpp>

// Collects when which worker was in which step, from the recorders that an engine calls.

#include <atomic>
#include <chrono>
#include <memory>
#include <span>
#include <vector>

#include <tenon/core/index.hpp>
#include <tenon/runtime/model.hpp>

namespace tenon {

namespace reports {

/// A stretch of time in a worker's row.
struct TraceEvent {
    int worker = 0;
    int step = 0;          ///< of Trace::steps
    int arena = 0;         ///< the memory that the step is in: 0 where all workers share a step, else its worker's
    int images = 1;        ///< that the step is for
    bool is_part = false;  ///< one worker's part of a step; else the complete step, in the row of the worker that leads
    double begin = 0, end = 0;  ///< in seconds since the recording began

    double seconds() const { return end - begin; }
};

}  // namespace reports

namespace detail {
inline namespace TENON_ISA_NAMESPACE {

/// Collects events on all threads of an engine. A row is written by one thread at a time: its worker's.
class TraceRecording {
public:
    TraceRecording(int workers, std::size_t events) : rows_(index(workers)) {
        for (auto& row : rows_) row.reserve(events);
        lanes_.push_back(std::make_unique<Lane>(*this, 0, true));
        for (int worker = 0; worker < workers; ++worker) {
            lanes_.push_back(std::make_unique<Lane>(*this, worker, false));
            of_threads_.push_back(lanes_.back().get());
        }
    }

    /// What the team of all workers reports to.
    cpu::StepRecorder& team() { return *lanes_.front(); }
    /// What each thread reports to where it takes images through the steps on its own.
    std::span<cpu::StepRecorder* const> threads() const { return of_threads_; }

    /// Since the recording began.
    double seconds() const { return now(); }
    /// All events, by worker and end.
    std::vector<reports::TraceEvent> events() const {
        std::vector<reports::TraceEvent> all;
        for (const auto& row : rows_) all.insert(all.end(), row.begin(), row.end());
        return all;
    }

private:
    using Clock = std::chrono::steady_clock;

    /// The steps on one arena.
    class Lane final : public cpu::StepRecorder {
    public:
        Lane(TraceRecording& all, int worker, bool is_team) : all_{all}, worker_{worker}, is_team_{is_team} {}

        void begin(int step, int images) override {
            images_.store(images, std::memory_order_relaxed);
            step_.store(step, std::memory_order_relaxed);
            begin_ = all_.now();
        }
        void end(int step) override {
            all_.add({worker_, step, worker_, images_.load(std::memory_order_relaxed), false, begin_, all_.now()});
            step_.store(none, std::memory_order_relaxed);
        }
        void part(int worker, int size, FunctionRef<void(int, int)> work) override {
            const int step = step_.load(std::memory_order_relaxed);
            if (step == none) {
                // Not a step: the team takes images through the steps, and what a thread does belongs to its row.
                current_worker() = worker;
                return work(worker, size);
            }
            const double begin = all_.now();
            work(worker, size);
            all_.add({is_team_ ? worker : current_worker(), step, worker_, images_.load(std::memory_order_relaxed),
                      true, begin, all_.now()});
        }

    private:
        static constexpr int none = -1;

        static int& current_worker() {
            thread_local int worker = 0;
            return worker;
        }

        TraceRecording& all_;
        int worker_;
        bool is_team_;
        std::atomic<int> step_{none}, images_{1};
        double begin_ = 0;
    };

    double now() const { return std::chrono::duration<double>(Clock::now() - start_).count(); }
    void add(const reports::TraceEvent& event) { rows_[index(event.worker)].push_back(event); }

    Clock::time_point start_ = Clock::now();
    std::vector<std::vector<reports::TraceEvent>> rows_;
    std::vector<std::unique_ptr<Lane>> lanes_;
    std::vector<cpu::StepRecorder*> of_threads_;
};

}  // namespace TENON_ISA_NAMESPACE
}  // namespace detail

}  // namespace tenon
