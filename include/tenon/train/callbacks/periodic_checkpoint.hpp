#pragma once
// IWYU pragma: private, include <tenon/training.hpp>

// A callback that saves the complete state at intervals.

#include <chrono>
#include <string>
#include <utility>

#include <tenon/core/error.hpp>
#include <tenon/train/callbacks/callback.hpp>

namespace tenon {

/// When PeriodicCheckpoint saves: after this many iterations, epochs or seconds; 0: not by this count.
struct CheckpointPeriod {
    long steps = 0;      ///< training iterations
    long epochs = 1;     ///< complete epochs
    double seconds = 0;  ///< wall-clock time
};

inline namespace TENON_ISA_NAMESPACE {

/// Saves a checkpoint of the trainer at `path`; the previous one is kept next to it (train/checkpoints/checkpoint.hpp).
/// Give it to a fit as the last callback, so that it saves what the others did.
class PeriodicCheckpoint final : public Callback {
public:
    /// Throws tenon::Error for a negative period.
    explicit PeriodicCheckpoint(std::string path, CheckpointPeriod period = {})
        : path_{std::move(path)}, period_{period} {
        if (period.steps < 0 || period.epochs < 0 || !(period.seconds >= 0))
            throw Error("the time between checkpoints can't be negative");
    }

    void on_begin(const FitPlan&, TrainerControl&) override { last_ = Clock::now(); }
    void on_step(const StepReport& report, TrainerControl& trainer) override {
        const double passed = std::chrono::duration<double>(Clock::now() - last_).count();
        if ((period_.steps > 0 && report.step % period_.steps == 0) ||
            (period_.seconds > 0 && passed >= period_.seconds))
            save(trainer);
    }
    void on_epoch(const EpochReport& report, TrainerControl& trainer) override {
        if (period_.epochs > 0 && (report.epoch + 1) % period_.epochs == 0) save(trainer);
    }

private:
    using Clock = std::chrono::steady_clock;

    void save(TrainerControl& trainer) {
        trainer.save_checkpoint(path_);
        last_ = Clock::now();
    }

    std::string path_;
    CheckpointPeriod period_;
    Clock::time_point last_{};
};

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon
