// Callbacks: what a user adds to a trainer's loop.
#pragma once

#include <string>

#include <tenon/core/isa.hpp>
#include <tenon/io/weights_info.hpp>
#include <tenon/train/history.hpp>

namespace tenon {

/// What a fit is about to do.
struct FitPlan {
    long step = 0;         ///< steps the trainer has done
    long first_epoch = 0;  ///< the epoch it begins or goes on with
    long epochs = 0;       ///< it ends in front of this epoch; 0: when its time is up
    double budget_seconds = 0;
    double seconds = 0;  ///< that earlier sittings of it took
    long batches = 0;    ///< of an epoch
    long images = 0;     ///< of an epoch
    long classes = 0;    ///< results of the network; 0: not known
    bool is_resumed = false;
};

inline namespace TENON_ISA_NAMESPACE {

/// What a callback may do to the trainer that calls it.
class TrainerControl {
public:
    virtual ~TrainerControl() = default;
    /// Ends the fit after the current step or epoch; the epoch is closed, validated and reported.
    virtual void stop(const std::string& reason) = 0;
    /// Ends the fit after the current step, validation batch or epoch, and leaves the epoch as it is: a checkpoint that
    /// is saved in on_interrupt goes on right there, to the bits of a fit that nothing interrupted.
    virtual void interrupt(const std::string& reason) = 0;
    /// Saves the weights that evaluate would use, as safetensors, with the names of their classes and what else `info`
    /// says.
    virtual void save_weights(const std::string& path, const WeightsInfo& info = {}) = 0;
    /// Saves the whole state (train/checkpoint.hpp).
    virtual void save_checkpoint(const std::string& path) = 0;
    /// Remembers the weights that evaluate would use, and goes back to them.
    virtual void keep_weights() = 0;
    virtual void return_to_kept_weights() = 0;
    virtual const History& history() const = 0;
};

/// Derive from it and give the fit a pointer. An exception from a callback ends the fit and reaches its caller.
/// A fit ends with on_end, with on_interrupt or with an exception, and in each case with on_leave.
class Callback {
public:
    virtual ~Callback() = default;
    virtual void on_begin(const FitPlan&, TrainerControl&) {}
    virtual void on_step(const StepReport&, TrainerControl&) {}
    /// After each batch of a validation that is a part of the fit.
    virtual void on_validation_batch(TrainerControl&) {}
    virtual void on_epoch(const EpochReport&, TrainerControl&) {}
    /// The fit is done or was stopped.
    virtual void on_end(TrainerControl&) {}
    /// The fit was interrupted: what is saved here can be gone on with.
    virtual void on_interrupt(TrainerControl&) {}
    /// The fit is over, also by an exception, perhaps one before this callback's on_begin.
    virtual void on_leave() noexcept {}
};

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon
