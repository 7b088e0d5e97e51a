#pragma once
// IWYU pragma: private, include <tenon/training.hpp>

// The plateau schedule: the learning rate falls when epochs no longer become better.

#include <algorithm>
#include <cmath>
#include <string>

#include <tenon/train/callbacks/monitor.hpp>
#include <tenon/train/schedules/schedule.hpp>

namespace tenon::schedules {

/// Options of schedules::plateau; factor and patience are torch's.
struct PlateauOptions {
    double factor = 0.1;    ///< what the rate is multiplied by, above 0 and below 1
    int patience = 10;      ///< epochs in a row that may be no better without a change
    double min_gain = 0;    ///< how much better an epoch must be to count
    int cooldown = 0;       ///< epochs after a change that are not counted
    double min_factor = 0;  ///< the rate doesn't fall below this share of the optimizer's
    Monitor monitor = Monitor::validation_loss;
};

inline namespace TENON_ISA_NAMESPACE {

/// Multiplied by a factor when more than `patience` epochs in a row were no better than the best one before. Equals
/// torch's ReduceLROnPlateau with threshold_mode='abs'. Epochs without a validation don't count if the figure is one of
/// a validation.
///
/// It is a function of the fit's history, which checkpoints have: a run that is resumed has the same rates, to the bit,
/// as one that was never stopped (test: tests/train/comfort_test.cpp). A lengthened run continues unchanged. Throws
/// tenon::Error for an option out of range.
inline Schedule plateau(PlateauOptions options = {}) {
    if (!(options.factor > 0 && options.factor < 1))
        throw Error("a plateau schedule needs a factor above 0 and below 1, found " +
                    tenon::detail::fixed_text(options.factor));
    if (options.patience < 0 || options.cooldown < 0)
        throw Error("a plateau schedule needs a patience and a cooldown of 0 or more epochs, found " +
                    std::to_string(options.patience) + " and " + std::to_string(options.cooldown));
    if (!(options.min_gain >= 0) || !(options.min_factor >= 0 && options.min_factor <= 1))
        throw Error("a plateau schedule needs a minimal gain of 0 or more and a minimal factor from 0 to 1, found " +
                    tenon::detail::fixed_text(options.min_gain) + " and " +
                    tenon::detail::fixed_text(options.min_factor));
    constexpr const char* figures[] = {"validation accuracy", "validation loss", "accuracy", "loss"};
    return {detail::text("plateau", {options.factor, options.min_gain, options.min_factor}) + " after " +
                std::to_string(options.patience) + " epochs, then " + std::to_string(options.cooldown) + ", by " +
                figures[static_cast<int>(options.monitor)],
            [options](const ScheduleTime& time) {
                double factor = 1, best = std::nan("");
                int worse = 0, cooldown = 0;
                for (const EpochReport& report : time.epochs) {
                    const double value = tenon::detail::monitored(options.monitor, report);
                    if (std::isnan(value)) continue;
                    if (std::isnan(best) || value > best + options.min_gain) {
                        best = value;
                        worse = 0;
                    } else {
                        ++worse;
                    }
                    if (cooldown > 0) {
                        --cooldown;
                        worse = 0;
                    }
                    if (worse <= options.patience) continue;
                    factor = std::max(factor * options.factor, options.min_factor);
                    cooldown = options.cooldown;
                    worse = 0;
                }
                return factor;
            }};
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::schedules
