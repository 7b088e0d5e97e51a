#pragma once
// IWYU pragma: private, include <tenon/training.hpp>

// Callbacks that act on the best epoch: save it, or stop when there has been none for long.

#include <string>
#include <utility>

#include <tenon/core/error.hpp>
#include <tenon/train/callbacks/callback.hpp>
#include <tenon/train/callbacks/monitor.hpp>

namespace tenon {
inline namespace TENON_ISA_NAMESPACE {

/// Saves the weights that were evaluated, as safetensors, whenever an epoch is the best so far.
///
///     BestWeights best{"best.safetensors", Monitor::validation_accuracy, {.network = "resnet18", .classes = names}};
class BestWeights final : public Callback {
public:
    /// The file to write, the figure that epochs are compared by, and what the file says about the weights.
    explicit BestWeights(std::string path, Monitor monitor = Monitor::validation_accuracy, WeightsInfo info = {})
        : path_{std::move(path)}, info_{std::move(info)}, best_{monitor} {}

    /// Throws tenon::Error when there are not as many names as classes: now, before an epoch of work is lost.
    void on_begin(const FitPlan& plan, TrainerControl& trainer) override {
        if (plan.classes > 0) detail::check_class_count(info_, plan.classes, path_);
        best_.restart(trainer.history());
    }
    void on_epoch(const EpochReport& report, TrainerControl& trainer) override {
        if (best_.take(report)) trainer.save_weights(path_, info_);
    }

private:
    std::string path_;
    WeightsInfo info_;
    detail::BestEpoch best_;
};

/// When EarlyStop stops.
struct EarlyStopOptions {
    int patience = 5;     ///< epochs in a row without a better one
    double min_gain = 0;  ///< how much better an epoch must be to count
    Monitor monitor = Monitor::validation_accuracy;
    bool return_to_best = true;  ///< whether the trainer gets the weights of the best epoch back at the end
};

/// Stops a fit when there has been no better epoch for long. Returning to the best weights takes memory for one more
/// set of weights; it happens at the end of every fit, early or not. Checkpoints include the saved weights.
class EarlyStop final : public Callback {
public:
    /// Throws tenon::Error for a patience below 1.
    explicit EarlyStop(EarlyStopOptions options = {}) : options_{options}, best_{options.monitor, options.min_gain} {
        if (options.patience < 1)
            throw Error("an early stop needs a patience of 1 or more epochs, not " + std::to_string(options.patience));
    }

    void on_begin(const FitPlan&, TrainerControl& trainer) override { best_.restart(trainer.history()); }
    void on_epoch(const EpochReport& report, TrainerControl& trainer) override {
        if (best_.take(report)) {
            if (options_.return_to_best) trainer.keep_weights();
        } else if (best_.worse() >= options_.patience) {
            trainer.stop("the last " + std::to_string(best_.worse()) + " epochs were not better than one before");
        }
    }
    void on_end(TrainerControl& trainer) override {
        if (options_.return_to_best) trainer.return_to_kept_weights();
    }

private:
    EarlyStopOptions options_;
    detail::BestEpoch best_;
};

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon
