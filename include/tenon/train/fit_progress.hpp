#pragma once
// IWYU pragma: private, include <tenon/training.hpp>

// How far a trainer has come, in iterations and in time, and which learning rate that means. Knows no network.

#include <algorithm>
#include <chrono>
#include <cmath>
#include <optional>
#include <span>
#include <string>

#include <tenon/core/error.hpp>
#include <tenon/core/number_text.hpp>
#include <tenon/train/checkpoints/trainer_state.hpp>
#include <tenon/train/trainer_options.hpp>

namespace tenon::detail {
inline namespace TENON_ISA_NAMESPACE {

/// Counts the iterations, epochs and seconds of a trainer and sums up its epochs.
class FitProgress {
public:
    /// Begins a fit, or resumes the one that is open, which may become longer. Throws tenon::Error for invalid options,
    /// or for options that don't fit the open fit; then nothing is changed.
    void begin(const FitOptions& options, long batches) {
        if (options.epochs < 0 || !(options.budget_seconds >= 0) ||
            (options.epochs == 0 && options.budget_seconds == 0))
            throw Error("a fit needs a number of epochs or of seconds above 0");
        if (options.validate_every < 1)
            throw Error("a fit validates after every 1 or more epochs, not " + std::to_string(options.validate_every));
        if (batches < 1) throw Error("the source of training images has no batch");
        if (state_.fit_open) {
            expect_no_shorter(options);
            expect_same("the schedule", schedule_, options.schedule.identity());
            expect_same("batches in an epoch:", std::to_string(state_.batches), std::to_string(batches));
            state_.fit_epochs = options.epochs;
            state_.fit_budget = options.budget_seconds;
            schedule_ = options.schedule.identity();  // which an older version may have written with commas
        } else {
            state_.fit_open = true;
            state_.fit_step = state_.step;
            state_.fit_epoch = state_.epoch;
            state_.fit_epochs = options.epochs;
            state_.fit_budget = options.budget_seconds;
            state_.fit_seconds = 0;
            state_.batches = batches;
            schedule_ = options.schedule.identity();
            begin_epoch();
        }
        running_ = true;
        fit_start_ = epoch_start_ = Clock::now();
    }

    /// Ends the fit: no later call resumes it.
    void end() {
        state_.fit_seconds = fit_seconds();
        running_ = state_.fit_open = false;
        decided_.reset();
    }

    /// The learning rate of the next iteration. Throws tenon::Error when the schedule gives a rate that is negative,
    /// infinite or NaN.
    double learning_rate(const Schedule& schedule, double optimizer_rate) const {
        const auto step = static_cast<double>(state_.step - state_.fit_step);
        double total = static_cast<double>(state_.fit_epochs * state_.batches);
        if (state_.fit_budget > 0) {
            constexpr double unknown = 1e9;  // of the first step: its share of the run is 0 as far as one can tell
            const double share = std::min(progress(), 1.0);
            total = step > 0 && share > 0 ? step / share : total > 0 ? total : unknown;
        }
        const double rate =
            optimizer_rate * schedule({step, total, static_cast<double>(state_.batches), fit_history()});
        if (!(std::isfinite(rate) && rate >= 0))
            throw Error("the schedule " + schedule.identity() + " gives a learning rate of " + fixed_text(rate) +
                        " at step " + std::to_string(state_.step + 1));
        return rate;
    }

    /// Counts an iteration and completes its report.
    void advance(StepReport& report) {
        report.step = ++state_.step;
        if (report.skipped) ++state_.skipped;
        report.epoch = state_.epoch;
        report.batch = state_.batch++;
        report.batches = state_.batches;
        state_.learning_rate = report.learning_rate;
        state_.epoch_loss += report.loss * static_cast<double>(report.images);
        state_.epoch_correct += report.correct;
        state_.epoch_images += report.images;
        report.seconds = fit_seconds();
        report.epoch_seconds = epoch_seconds();
        report.epoch_images = state_.epoch_images;
        report.epoch_loss = epoch_mean(state_.epoch_loss);
        report.epoch_accuracy = epoch_mean(static_cast<double>(state_.epoch_correct));
        report.progress = std::min(progress(), 1.0);
    }

    /// Calls validate(report) if a validation is due or this is the `last` epoch, counts the epoch and adds the report
    /// to the history. If validate gives up, by returning false, returns false and leaves the epoch open.
    template <class Validate>
    bool close_epoch(const FitOptions& options, bool last, const Validate& validate) {
        EpochReport report;
        report.epoch = state_.epoch;
        report.step = state_.step;
        report.images = state_.epoch_images;
        report.loss = epoch_mean(state_.epoch_loss);
        report.accuracy = epoch_mean(static_cast<double>(state_.epoch_correct));
        report.learning_rate = state_.learning_rate;
        report.seconds = epoch_seconds();
        const long epochs_then = state_.epoch - state_.fit_epoch + 1;
        if (last || is_over_after(epochs_then) || epochs_then % options.validate_every == 0) {
            const auto start = Clock::now();
            if (!validate(report)) return false;
            validation_seconds_ = seconds_since(start);
        }
        ++state_.epoch;
        history_.push_back(report);
        begin_epoch();
        return true;
    }

    /// The times that decide when a fit with a budget ends and what its learning rate is.
    struct Clocks {
        double seconds = 0, validation = 0;
    };
    Clocks clocks() const { return {fit_seconds(), validation_seconds_}; }
    /// Makes all decisions from given times instead of this process' clock, until the fit ends.
    void decide_by(const Clocks& clocks) {
        decided_ = clocks.seconds;
        validation_seconds_ = clocks.validation;
    }

    bool is_over() const { return is_over_after(state_.epoch - state_.fit_epoch); }
    /// Whether an epoch with iterations is not closed, as after restoring a checkpoint.
    bool has_open_epoch() const { return state_.batch > 0; }
    bool epoch_is_over() const { return state_.batch >= state_.batches || time_is_up(); }

    /// What callbacks are told in on_begin.
    FitPlan plan(long images, bool is_resumed) const {
        return {.step = state_.step,
                .first_epoch = state_.epoch,
                .epochs = state_.fit_epochs > 0 ? state_.fit_epoch + state_.fit_epochs : 0,
                .budget_seconds = state_.fit_budget,
                .seconds = state_.fit_seconds,
                .batches = state_.batches,
                .images = images,
                .is_resumed = is_resumed};
    }

    /// The state with the time up to now.
    TrainerState current_state() const {
        TrainerState state = state_;
        state.fit_seconds = fit_seconds();
        state.epoch_seconds = epoch_seconds();
        return state;
    }
    const TrainerState& state() const { return state_; }
    const History& history() const { return history_; }
    /// The identity of the schedule of the current or last fit.
    const std::string& schedule() const { return schedule_; }

    void restore(const TrainerState& state, std::string schedule, History history) {
        state_ = state;
        schedule_ = std::move(schedule);
        history_ = std::move(history);
    }

private:
    using Clock = std::chrono::steady_clock;

    static void expect_same(const std::string& what, const std::string& begun, const std::string& now) {
        if (!is_same_text(begun, now))
            throw Error("the fit in the checkpoint began with " + what + " " + begun + " and can't be resumed with " +
                        now);
    }
    /// "2 epochs in at most 60 s"
    static std::string length_text(long epochs, double seconds) {
        std::string text;
        if (epochs > 0) text = std::to_string(epochs) + (epochs == 1 ? " epoch" : " epochs");
        if (seconds > 0)
            text += (epochs > 0 ? " in at most " : "") + number_text(seconds, std::chars_format::general, 6) + " s";
        return text;
    }
    /// The open fit may become longer, not shorter: what it did was meant for a run of at least its length, and a
    /// shorter one is more likely a mistake. A fit that is over, as a rule because its time is up, may also continue by
    /// epochs alone.
    void expect_no_shorter(const FitOptions& options) const {
        const auto is_shorter = [](auto begun, auto now) { return begun > 0 ? now < begun : now > 0; };
        if (!is_shorter(state_.fit_epochs, long{options.epochs}) &&
            !is_shorter(state_.fit_budget, options.budget_seconds))
            return;
        if (is_over() && options.epochs > state_.epoch - state_.fit_epoch && options.budget_seconds == 0) return;
        throw Error("the fit in the checkpoint began with " + length_text(state_.fit_epochs, state_.fit_budget) +
                    ", expected at least as much to resume it, found " +
                    length_text(options.epochs, options.budget_seconds));
    }
    static double seconds_since(Clock::time_point start) {
        return std::chrono::duration<double>(Clock::now() - start).count();
    }
    double fit_seconds() const { return state_.fit_seconds + (running_ ? seconds_since(fit_start_) : 0); }
    double epoch_seconds() const { return state_.epoch_seconds + (running_ ? seconds_since(epoch_start_) : 0); }
    double epoch_mean(double sum) const { return sum / static_cast<double>(std::max(state_.epoch_images, 1L)); }

    /// The reports of the fit's epochs: those of earlier fits come before them.
    std::span<const EpochReport> fit_history() const {
        const auto first =
            std::ranges::find_if(history_, [&](const EpochReport& report) { return report.epoch >= state_.fit_epoch; });
        return {first, history_.end()};
    }

    void begin_epoch() {
        state_.batch = state_.epoch_correct = state_.epoch_images = 0;
        state_.epoch_loss = state_.epoch_seconds = 0;
        epoch_start_ = Clock::now();
    }

    /// The share of the fit that is done. Of a budget, the time of one last validation is set aside.
    double progress() const {
        double share = 0;
        if (state_.fit_epochs > 0)
            share = static_cast<double>(state_.step - state_.fit_step) /
                    static_cast<double>(state_.fit_epochs * state_.batches);
        if (state_.fit_budget > 0)
            share = std::max(
                share, decided_.value_or(fit_seconds()) / std::max(state_.fit_budget - validation_seconds_, 1e-3));
        return share;
    }
    bool is_over_after(long epochs) const {
        return time_is_up() || (state_.fit_epochs > 0 && epochs >= state_.fit_epochs);
    }
    bool time_is_up() const { return state_.fit_budget > 0 && progress() >= 1; }

    TrainerState state_;
    std::string schedule_;
    History history_;
    bool running_ = false;
    Clock::time_point fit_start_{}, epoch_start_{};
    double validation_seconds_ = 0;
    std::optional<double> decided_;
};

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::detail
