#pragma once
// IWYU pragma: private, include <tenon/training.hpp>

// Which figure of an epoch decides whether it was the best.

#include <algorithm>
#include <cmath>

#include <tenon/core/isa.hpp>
#include <tenon/train/callbacks/history.hpp>

namespace tenon {

/// A figure that callbacks watch. For accuracies the largest is best, for losses the smallest.
enum class Monitor { validation_accuracy, validation_loss, accuracy, loss };

namespace detail {
inline namespace TENON_ISA_NAMESPACE {

/// The figure of an epoch, such that larger is better: losses are negated. NaN where it was not measured.
inline double monitored(Monitor monitor, const EpochReport& report) {
    switch (monitor) {
        case Monitor::validation_loss:
            return -report.validation_loss;
        case Monitor::accuracy:
            return report.accuracy;
        case Monitor::loss:
            return -report.loss;
        default:
            return report.validation_accuracy;
    }
}

/// Follows the best epoch so far.
class BestEpoch {
public:
    explicit BestEpoch(Monitor monitor, double min_gain = 0) : monitor_{monitor}, min_gain_{min_gain} {}

    /// Forgets everything and replays the epochs of a history, as when a fit is resumed.
    void restart(const History& history) {
        best_ = not_measured;
        worse_ = 0;
        for (const EpochReport& report : history) take(report);
    }

    /// Takes an epoch into account. True if it is the best so far, by more than the minimal gain. An epoch that was not
    /// measured is neither the best nor counted as a worse one.
    bool take(const EpochReport& report) {
        const double value = monitored(monitor_, report);
        if (std::isnan(value)) return false;
        if (!std::isnan(best_) && !(value > best_ + min_gain_)) {
            ++worse_;
            return false;
        }
        best_ = value;
        worse_ = 0;
        return true;
    }

    /// Epochs since the best one.
    int worse() const { return worse_; }

private:
    Monitor monitor_;
    double min_gain_, best_ = not_measured;
    int worse_ = 0;
};

}  // namespace TENON_ISA_NAMESPACE
}  // namespace detail

}  // namespace tenon
