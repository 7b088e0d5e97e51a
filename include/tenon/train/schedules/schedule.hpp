#pragma once
// IWYU pragma: private, include <tenon/training.hpp>

// Schedules: the learning rate as a function of the iteration and of the epochs before it, without any state.
//
// A run that is resumed with more epochs than it began with has a larger total from there on, and its rate is what the
// longer run has at that iteration. Schedules that are given in iterations or epochs are not affected: the run ends as
// if it had been that long from the start. Schedules that span the run jump: cosine() is at 0 after 10 of 10 epochs and
// at 0.5 after 10 of 20, and then falls to 0 again. Each schedule says which of the two it is; a product is what its
// factors are (tests: tests/train/optimizer_test.cpp, resume_test.cpp).

#include <algorithm>
#include <cmath>
#include <functional>
#include <numbers>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <tenon/core/error.hpp>
#include <tenon/core/isa.hpp>
#include <tenon/core/moved_from.hpp>
#include <tenon/core/number_text.hpp>
#include <tenon/train/callbacks/history.hpp>

namespace tenon {

/// A point in a run. With a time budget, `total` is the number of iterations that the run will reach at its present
/// speed, and so changes from iteration to iteration.
struct ScheduleTime {
    double step = 0;                        ///< iterations so far, counted from 0
    double total = 1;                       ///< iterations of the complete run
    double per_epoch = 1;                   ///< iterations of an epoch
    std::span<const EpochReport> epochs{};  ///< of the fit so far, complete ones
};

inline namespace TENON_ISA_NAMESPACE {

/// A length of time in a run: the length of a warm-up, or the time up to a milestone. Throws tenon::Error when it is
/// negative, infinite or NaN.
class Duration {
public:
    static Duration steps(double count) { return {count, 1, 0, 0}; }
    static Duration epochs(double count) { return {count, 0, 1, 0}; }
    /// A share of the run, 0 to 1.
    static Duration share(double share) { return {share, 0, 0, 1}; }

    /// The length in iterations at a point of a run, which says how long epochs and the run are.
    double in_steps(const ScheduleTime& time) const {
        return amount_ * (steps_ + epochs_ * time.per_epoch + run_ * time.total);
    }
    /// The length as text, for identities: "5.000000 epochs".
    std::string text() const {
        return detail::number_text(amount_, std::chars_format::fixed, 6) + (steps_ > 0    ? " steps"
                                                                            : epochs_ > 0 ? " epochs"
                                                                                          : " of the run");
    }

private:
    Duration(double amount, double steps, double epochs, double run)
        : amount_{amount}, steps_{steps}, epochs_{epochs}, run_{run} {
        if (!(amount >= 0 && std::isfinite(amount)))
            throw Error("a duration is a number of at least 0, not " + detail::fixed_text(amount));
    }

    double amount_, steps_, epochs_, run_;
};

/// A factor of the optimizer's learning rate, as a pure function of the point in a run. The identity is compared when a
/// run is resumed from a checkpoint; equal identities mean equal functions.
class Schedule {
public:
    using Function = std::function<double(const ScheduleTime&)>;

    Schedule(std::string identity, Function factor) : identity_{std::move(identity)}, factor_{std::move(factor)} {}

    /// The factor at a point of a run. Throws tenon::Error when the schedule was moved from.
    double operator()(const ScheduleTime& time) const {
        detail::check_not_moved_from(factor_ != nullptr, "schedule");
        return factor_(time);
    }
    /// What it is, as text: "cosine 0.000000".
    const std::string& identity() const { return identity_; }

    /// The product of two schedules, such as a warm-up and a decay.
    friend Schedule operator*(const Schedule& a, const Schedule& b) {
        return {"(" + a.identity_ + " * " + b.identity_ + ")",
                [a, b](const ScheduleTime& time) { return a(time) * b(time); }};
    }

private:
    std::string identity_;
    Function factor_;
};

}  // namespace TENON_ISA_NAMESPACE

/// How one_cycle gets from one rate to the next.
enum class Annealing { cosine, linear };

/// Options of schedules::one_cycle; the defaults are torch's.
struct OneCycleOptions {
    double rise = 0.3;              ///< share of the run before the peak, torch's pct_start
    double start = 1.0 / 25;        ///< factor of the first iteration, 1 / div_factor
    double end = 1.0 / (25 * 1e4);  ///< factor of the last iteration
    Annealing annealing = Annealing::cosine;
};

/// The schedules; each gives a factor of the optimizer's learning rate.
namespace schedules {

namespace detail {
inline namespace TENON_ISA_NAMESPACE {

inline double share_of(double part, double whole) { return whole > 0 ? std::clamp(part / whole, 0.0, 1.0) : 1.0; }

/// A value between `from` at share 0 and `to` at share 1.
inline double anneal(Annealing annealing, double from, double to, double share) {
    if (annealing == Annealing::linear) return from + (to - from) * share;
    return to + (from - to) / 2 * (1 + std::cos(std::numbers::pi * share));
}

inline std::string text(const char* name, std::initializer_list<double> numbers) {
    std::string result = name;
    for (const double number : numbers) {
        result += ' ';
        result += tenon::detail::number_text(number, std::chars_format::fixed, 6);
    }
    return result;
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace detail

inline namespace TENON_ISA_NAMESPACE {

/// The same factor throughout, in a lengthened run too.
inline Schedule constant(double factor = 1) {
    return {detail::text("constant", {factor}), [factor](const ScheduleTime&) { return factor; }};
}

/// A straight line from one factor to another over the complete run. In a lengthened run it jumps back, to the line
/// that ends later.
inline Schedule linear(double from, double to) {
    return {detail::text("linear", {from, to}), [from, to](const ScheduleTime& time) {
                return detail::anneal(Annealing::linear, from, to, detail::share_of(time.step, time.total));
            }};
}

/// From 1 to 0 in a straight line: the best choice for a run of given length (Li et al. 2020, budgeted training). In a
/// lengthened run it jumps up, as `linear` does: after 10 epochs that become 20 it is 0.5.
inline Schedule linear_to_zero() { return linear(1, 0); }

/// From 1 to `end` along half a cosine. Equals torch's CosineAnnealingLR with T_max = iterations of the run. In a
/// lengthened run it jumps up to the longer cosine; torch's, whose T_max stays, would rise again.
inline Schedule cosine(double end = 0) {
    return {detail::text("cosine", {end}), [end](const ScheduleTime& time) {
                return detail::anneal(Annealing::cosine, 1, end, detail::share_of(time.step, time.total));
            }};
}

/// Multiplied by `factor` after every `length`. Equals torch's StepLR. A lengthened run continues unchanged, unless the
/// length is a share of the run.
inline Schedule step(Duration length, double factor = 0.1) {
    return {"step every " + length.text() + detail::text(" by", {factor}), [length, factor](const ScheduleTime& time) {
                const double steps = length.in_steps(time);
                return steps > 0 ? std::pow(factor, std::floor(time.step / steps)) : 1.0;
            }};
}

/// Multiplied by `factor` at each milestone. Equals torch's MultiStepLR. A lengthened run continues unchanged;
/// milestones that are shares of the run move, and the rate rises again if they are then still to come.
inline Schedule multi_step(std::vector<Duration> milestones, double factor = 0.1) {
    std::string identity = detail::text("multi_step", {factor}) + " at";
    for (const Duration& milestone : milestones) identity += " " + milestone.text();
    return {std::move(identity), [milestones = std::move(milestones), factor](const ScheduleTime& time) {
                double result = 1;
                for (const Duration& milestone : milestones)
                    if (time.step >= milestone.in_steps(time)) result *= factor;
                return result;
            }};
}

/// Up to the peak and down again (Smith and Topin 2018). Equals torch's OneCycleLR with the optimizer's rate as max_lr,
/// except that the momentum stays constant. In a lengthened run it jumps to its place in the longer cycle, and the peak
/// comes again if it is then still to come.
inline Schedule one_cycle(OneCycleOptions options = {}) {
    return {detail::text("one_cycle", {options.rise, options.start, options.end}) +
                (options.annealing == Annealing::cosine ? " cosine" : " linear"),
            [options](const ScheduleTime& time) {
                const double peak = std::max(options.rise * time.total - 1, 0.0), last = time.total - 1;
                if (time.step <= peak)
                    return detail::anneal(options.annealing, options.start, 1, detail::share_of(time.step, peak));
                return detail::anneal(options.annealing, 1, options.end,
                                      detail::share_of(time.step - peak, last - peak));
            }};
}

/// A point of schedules::piecewise_linear.
struct Knot {
    double share;   ///< of the run, 0 to 1
    double factor;  ///< at that point
};

/// Straight lines between points, constant outside them: {{0, 0.2}, {0.25, 1}, {1, 0}} is a triangle. Points are shares
/// of the run, so a lengthened run jumps to its place on the longer lines: that triangle, finished and then made twice
/// as long, goes from 0 up to 0.67 and falls to 0 again. Throws tenon::Error unless there is a point and shares rise.
inline Schedule piecewise_linear(std::vector<Knot> knots) {
    if (knots.empty()) throw Error("a piecewise linear schedule needs at least one point");
    std::string identity = "piecewise_linear";
    for (std::size_t i = 0; i < knots.size(); ++i) {
        if (i > 0 && !(knots[i].share > knots[i - 1].share))
            throw Error("the points of a piecewise linear schedule must be in rising order");
        identity += detail::text("", {knots[i].share, knots[i].factor});
    }
    return {std::move(identity), [knots = std::move(knots)](const ScheduleTime& time) {
                const double share = detail::share_of(time.step, time.total);
                if (share <= knots.front().share) return knots.front().factor;
                for (std::size_t i = 1; i < knots.size(); ++i)
                    if (const auto& a = knots[i - 1], &b = knots[i]; share < b.share)
                        return a.factor + (b.factor - a.factor) * (share - a.share) / (b.share - a.share);
                return knots.back().factor;
            }};
}

/// From `start` to 1 in a straight line over `length`, then 1: `warm_up(Duration::epochs(5)) * cosine()`. Equals
/// torch's LinearLR. A lengthened run does not warm up again, unless the length is a share of the run.
inline Schedule warm_up(Duration length, double start = 0) {
    return {"warm_up " + length.text() + detail::text(" from", {start}), [length, start](const ScheduleTime& time) {
                return start + (1 - start) * detail::share_of(time.step, length.in_steps(time));
            }};
}

/// `first` for `length`, then `second` as if its run began there; each spans its own part. Equals torch's SequentialLR.
/// In a lengthened run the part of `second` is longer, and that of `first` too if its length is a share of the run. To
/// continue with another schedule than the run began with, save a checkpoint after the fit and begin another fit from
/// it.
inline Schedule sequence(const Schedule& first, Duration length, const Schedule& second) {
    return {"(" + first.identity() + " for " + length.text() + ", then " + second.identity() + ")",
            [first, length, second](const ScheduleTime& time) {
                const double steps = length.in_steps(time);
                if (time.step < steps) return first({time.step, steps, time.per_epoch, time.epochs});
                return second({time.step - steps, std::max(time.total - steps, 1.0), time.per_epoch, time.epochs});
            }};
}

/// For batches `factor` times as large as those that the optimizer's learning rate was chosen for, as several processes
/// have them: the rate grows with the batch, from 1 to `factor` over `length`, and stays there (Goyal et al. 2017,
/// arXiv 1706.02677): `larger_batch(8) * cosine()`. In a lengthened run it behaves as warm_up. Throws tenon::Error
/// unless the factor is positive and finite.
inline Schedule larger_batch(double factor, Duration length = Duration::epochs(5)) {
    if (!(factor > 0 && std::isfinite(factor)))
        throw Error("a batch is larger by a positive factor, not " + std::to_string(factor));
    return constant(factor) * warm_up(length, 1 / factor);
}

/// A schedule times a constant; in a lengthened run it behaves as the schedule.
inline Schedule scale(const Schedule& schedule, double factor) { return constant(factor) * schedule; }

}  // namespace TENON_ISA_NAMESPACE
}  // namespace schedules
}  // namespace tenon
