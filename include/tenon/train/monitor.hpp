// Which figure of an epoch decides whether it was the best.
#pragma once

#include <algorithm>
#include <cmath>

#include <tenon/core/isa.hpp>
#include <tenon/train/history.hpp>

namespace tenon {

/// A figure that callbacks watch. Of accuracies the largest is best, of losses the smallest.
enum class Monitor { validation_accuracy, validation_loss, accuracy, loss };

inline namespace TENON_ISA_NAMESPACE {

/// The figure of an epoch, of which more is better; a loss is negated. Not a number where it was not measured.
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
    explicit BestEpoch(Monitor monitor, double least_gain = 0) : monitor_{monitor}, least_gain_{least_gain} {}

    /// Forgets everything and takes in the epochs of a history, as when a fit is resumed.
    void restart(const History& history) {
        best_ = not_measured;
        worse_ = 0;
        for (const EpochReport& report : history) take(report);
    }

    /// Takes in an epoch; whether it is the best so far, by more than the least gain. One that was not measured isn't,
    /// and is not counted as a worse one.
    bool take(const EpochReport& report) {
        const double value = monitored(monitor_, report);
        if (std::isnan(value)) return false;
        if (!std::isnan(best_) && !(value > best_ + least_gain_)) {
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
    double least_gain_, best_ = not_measured;
    int worse_ = 0;
};

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon
