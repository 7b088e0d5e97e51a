#pragma once
// IWYU pragma: private, include <tenon/training.hpp>

// A callback that ends a fit without loss when somebody stops the process, with Ctrl-C or kill (POSIX signals).

#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <iostream>
#include <mutex>
#include <string>
#include <utility>

#include <tenon/core/error.hpp>
#include <tenon/train/callbacks/callback.hpp>

namespace tenon {
namespace detail {

/// What all fits of a process that listen for signals share. Only data, so there is one for all instruction sets.
struct InterruptState {
    std::atomic<int> first{0};           ///< the first signal; 0: none yet
    std::atomic<bool> is_obeyed{false};  ///< whether a fit has seen it
    std::mutex mutex;                    ///< for the members after it, which the handler does not touch
    int fits = 0;
    std::array<struct sigaction, 2> previous{};
};
inline InterruptState interrupt_state;
static_assert(std::atomic<int>::is_always_lock_free, "a signal handler may only use atomics without locks");

/// The signals that ask a process to end.
inline constexpr std::array interrupt_signals{SIGINT, SIGTERM};

inline namespace TENON_ISA_NAMESPACE {

/// Records the first signal and restores the default action for the next one, of either kind, which so ends the
/// process. A signal that is ignored or has another handler by now keeps that. Calls only functions that POSIX lists as
/// async-signal-safe.
inline void handle_interrupt(int signal) {
    const int error = errno;
    int expected = 0;
    const bool is_first = interrupt_state.first.compare_exchange_strong(expected, signal);
    for (const int number : interrupt_signals) {
        struct sigaction now {};
        if (::sigaction(number, nullptr, &now) == 0 && now.sa_handler == &handle_interrupt) ::signal(number, SIG_DFL);
    }
    // A second signal may have been on its way to this thread before the default action was restored.
    if (!is_first) ::raise(signal);
    errno = error;
}

/// Sets the handlers when the first fit begins. A signal that is ignored stays ignored: nohup and shells without job
/// control do that on purpose.
inline void begin_listening() {
    const std::lock_guard lock{interrupt_state.mutex};
    if (interrupt_state.fits++ > 0) return;
    interrupt_state.first = 0;
    interrupt_state.is_obeyed = false;
    struct sigaction action {};
    action.sa_handler = &handle_interrupt;
    action.sa_flags = SA_RESTART;  // reading photos or writing a log continues undisturbed
    ::sigemptyset(&action.sa_mask);
    for (const int number : interrupt_signals) ::sigaddset(&action.sa_mask, number);
    for (std::size_t i = 0; i < interrupt_signals.size(); ++i) {
        ::sigaction(interrupt_signals[i], nullptr, &interrupt_state.previous[i]);
        if (interrupt_state.previous[i].sa_handler != SIG_IGN) ::sigaction(interrupt_signals[i], &action, nullptr);
    }
}

/// Restores the earlier handlers when the last fit has ended. A signal that came too late for any fit is raised again,
/// for whatever handles it now.
inline void end_listening() {
    const std::lock_guard lock{interrupt_state.mutex};
    if (--interrupt_state.fits > 0) return;
    for (std::size_t i = 0; i < interrupt_signals.size(); ++i)
        ::sigaction(interrupt_signals[i], &interrupt_state.previous[i], nullptr);
    if (const int late = interrupt_state.first; late != 0 && !interrupt_state.is_obeyed) ::raise(late);
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace detail

inline namespace TENON_ISA_NAMESPACE {

/// Ends a fit after the current iteration or validation batch when the process gets SIGINT (Ctrl-C) or SIGTERM (kill):
/// the state is saved as a checkpoint, and a line says so and how to resume. A fit that is resumed from there ends with
/// the same bits as one that was never stopped. The program continues after `fit`, and should end:
///
///     PeriodicCheckpoint checkpoints{"run.checkpoint"};
///     StopOnInterrupt interrupt{"run.checkpoint", "train --resume"};
///     trainer.fit(batches, {.epochs = 20, .callbacks = {&checkpoints, &interrupt}});
///     if (interrupt.is_interrupted()) return StopOnInterrupt::exit_status;
///
/// A second signal of either kind ends the process at once, as it would without this callback. The signals are handled
/// only while a fit runs; the earlier handlers are restored however it ends. A signal that the process ignores stays
/// ignored. Fits that run at the same time all end.
class StopOnInterrupt final : public Callback {
public:
    /// The exit status for a program that was stopped by either signal: what a shell reports for a program that Ctrl-C
    /// ended, 128 + SIGINT. (A second SIGTERM ends the process itself, which a shell reports as 143.)
    static constexpr int exit_status = 130;

    /// Saves at `checkpoint`, which may be PeriodicCheckpoint's path; the previous checkpoint is kept next to it
    /// (train/checkpoints/checkpoint.hpp). `how_to_go_on` completes the line: how to resume, such as a command. Throws
    /// tenon::Error without a path.
    explicit StopOnInterrupt(std::string checkpoint, std::string how_to_go_on = {}, std::ostream& stream = std::cerr)
        : checkpoint_{std::move(checkpoint)}, how_to_go_on_{std::move(how_to_go_on)}, stream_{stream} {
        if (checkpoint_.empty()) throw Error("expected the path of a checkpoint to save when a fit is interrupted");
    }
    StopOnInterrupt(const StopOnInterrupt&) = delete;
    StopOnInterrupt& operator=(const StopOnInterrupt&) = delete;
    ~StopOnInterrupt() override { stop_listening(); }

    /// Whether a signal ended the last fit.
    bool is_interrupted() const { return signal_ != 0; }
    /// SIGINT or SIGTERM; 0 if none ended the last fit.
    int signal() const { return signal_; }

    void on_begin(const FitPlan& plan, TrainerControl&) override {
        signal_ = 0;
        is_saved_ = false;
        step_ = plan.step;
        stop_listening();
        detail::begin_listening();
        is_listening_ = true;
    }
    void on_step(const StepReport& report, TrainerControl& trainer) override {
        step_ = report.step;
        look(trainer);
    }
    void on_validation_batch(TrainerControl& trainer) override { look(trainer); }
    void on_epoch(const EpochReport&, TrainerControl& trainer) override { look(trainer); }
    void on_end(TrainerControl& trainer) override { look(trainer); }
    void on_interrupt(TrainerControl& trainer) override {
        look(trainer);
        // Another callback interrupted the fit, or the signal has reached another process only.
        if (signal_ == 0 && trainer.world().size() == 1) return;
        trainer.save_checkpoint(checkpoint_);
        is_saved_ = trainer.world().rank() == 0;
    }
    void on_leave() noexcept override {
        stop_listening();
        if (std::exchange(is_saved_, false)) say_how_to_go_on();
    }

private:
    const char* name() const { return signal_ == 0 ? "another process" : signal_ == SIGINT ? "SIGINT" : "SIGTERM"; }

    void look(TrainerControl& trainer) {
        const int found = detail::interrupt_state.first;
        if (found == 0 || signal_ != 0) return;
        detail::interrupt_state.is_obeyed = true;
        signal_ = found;
        trainer.interrupt(name());
    }
    void stop_listening() noexcept {
        if (std::exchange(is_listening_, false)) detail::end_listening();
    }
    void say_how_to_go_on() noexcept {
        try {
            stream_ << "stopped by " << name() << " after step " << step_ << ", saved in " << checkpoint_
                    << "; to go on: "
                    << (how_to_go_on_.empty() ? "restore it and fit with the same options" : how_to_go_on_)
                    << std::endl;
        } catch (...) {
            // If the stream throws, its line is lost: the state is saved, and that is what counts.
        }
    }

    std::string checkpoint_, how_to_go_on_;
    std::ostream& stream_;
    int signal_ = 0;
    long step_ = 0;
    bool is_listening_ = false, is_saved_ = false;
};

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon
