#pragma once
// IWYU pragma: private, include <tenon/training.hpp>

// Which learning rate a training may begin with: a short run with a rate that grows until the loss does too (Smith
// 2017, arXiv 1506.01186).

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <span>
#include <string>
#include <vector>

#include <tenon/train/trainer.hpp>

namespace tenon {

namespace schedules {

/// Options of find_rate.
struct RateSearch {
    double lowest = 1e-6, highest = 10;  ///< the rates of the first and of the last iteration
    int steps = 100;                     ///< iterations, as many epochs as they take
    double stop_at = 4;                  ///< it ends when the smoothed loss is this many times the lowest one
    double smoothing = 0.9;              ///< share of the earlier mean in an iteration's smoothed loss, 0 to below 1
};

/// What find_rate has measured, an element per iteration.
struct RateCurve {
    std::vector<double> rates{};
    std::vector<double> losses{};    ///< of the batch, before the update with this rate
    std::vector<double> smoothed{};  ///< a moving average of them, which begins with the first loss
    double suggested = 0;            ///< where the smoothed loss falls fastest over the logarithm of the rate
};

}  // namespace schedules

namespace detail {
inline namespace TENON_ISA_NAMESPACE {

inline void check_rate_search(const schedules::RateSearch& search) {
    if (!(search.lowest > 0 && search.highest > search.lowest && std::isfinite(search.highest)))
        throw Error("a search for a learning rate needs a lowest rate above 0 and a higher one, found " +
                    fixed_text(search.lowest) + " and " + fixed_text(search.highest));
    if (search.steps < 2)
        throw Error("a search for a learning rate needs 2 or more steps, found " + std::to_string(search.steps));
    if (!(search.stop_at > 1) || !(search.smoothing >= 0 && search.smoothing < 1))
        throw Error(
            "a search for a learning rate stops at more than 1 times the lowest loss and smooths by 0 to below "
            "1, found " +
            fixed_text(search.stop_at) + " and " + fixed_text(search.smoothing));
}

/// Smooths the losses and chooses the rate: in the middle of the step between two rates, up to that of the lowest
/// smoothed loss, over which the smoothed loss falls most. Without any fall it is the lowest rate.
inline void complete(schedules::RateCurve& curve, double smoothing) {
    curve.smoothed.clear();
    double mean = 0, weight = 0;
    for (const double loss : curve.losses) {
        mean = smoothing * mean + (1 - smoothing) * loss;
        weight = smoothing * weight + (1 - smoothing);
        curve.smoothed.push_back(mean / weight);
    }
    curve.suggested = curve.rates.front();
    double steepest = 0;
    for (std::size_t i = 1; i < curve.rates.size(); ++i) {
        const double slope =
            (curve.smoothed[i] - curve.smoothed[i - 1]) / std::log(curve.rates[i] / curve.rates[i - 1]);
        if (slope >= steepest) continue;
        steepest = slope;
        curve.suggested = std::sqrt(curve.rates[i] * curve.rates[i - 1]);
    }
}

/// Records rates and losses, and stops the fit when there are enough or the loss grows.
class RateRecorder final : public Callback {
public:
    RateRecorder(schedules::RateCurve& curve, const schedules::RateSearch& search) : curve_{curve}, search_{search} {}

    void on_step(const StepReport& report, TrainerControl& trainer) override {
        curve_.rates.push_back(report.learning_rate);
        curve_.losses.push_back(report.loss);
        complete(curve_, search_.smoothing);
        const double lowest = *std::ranges::min_element(curve_.smoothed);
        if (std::ssize(curve_.rates) >= search_.steps || curve_.smoothed.back() > search_.stop_at * lowest)
            trainer.stop("the search is over");
    }

private:
    schedules::RateCurve& curve_;
    const schedules::RateSearch& search_;
};

}  // namespace TENON_ISA_NAMESPACE
}  // namespace detail

namespace schedules {
inline namespace TENON_ISA_NAMESPACE {

/// Trains a copy of a network for a few iterations, with a learning rate that grows by the same factor from each to the
/// next, and says how the loss follows. Begin a training with about the suggested rate, or somewhat more with a
/// warm-up. It ends early where the loss grows much or is no longer finite. In one process, whatever the options say.
/// Throws tenon::Error for options out of range, when the first loss is infinite or NaN, and as Trainer::fit.
///
///     const auto curve = schedules::find_rate(trainer.parameters(), batches, SgdOptions{.momentum = 0.9});
template <class Net, class Backend = tenon::detail::DefaultBackend, BatchSource Source, OptimizerOptions<float> Choice>
RateCurve find_rate(const Parameters<Net>& start, Source&& source, Choice optimizer, TrainerOptions options = {},
                    const RateSearch& search = {}) {
    tenon::detail::check_rate_search(search);
    optimizer.learning_rate = 1;  // the schedule's factor is the rate
    options.world = {};
    options.average.reset();
    Trainer<Net, Backend> trainer{optimizer, options};
    trainer.set_parameters(start);
    RateCurve curve;
    tenon::detail::RateRecorder recorder{curve, search};
    const double growth = std::log(search.highest / search.lowest) / (search.steps - 1);
    const long per_epoch = std::max(1L, (source.batches() + options.accumulate - 1) / options.accumulate);
    try {
        trainer.fit(
            source,
            {.epochs = static_cast<int>((search.steps + per_epoch - 1) / per_epoch),
             .schedule = {"find_rate",
                          [&](const ScheduleTime& time) { return search.lowest * std::exp(growth * time.step); }},
             .callbacks = {&recorder}});
    } catch (const tenon::detail::UndefinedLoss&) {
        if (curve.rates.size() < 2) throw;  // the search has just seen how far one can go
    }
    return curve;
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace schedules

}  // namespace tenon
