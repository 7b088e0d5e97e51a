#pragma once
// IWYU pragma: private, include <tenon/training.hpp>

// Callbacks: what a user adds to a trainer's loop.

#include <string>

#include <tenon/core/isa.hpp>
#include <tenon/distributed/world.hpp>
#include <tenon/io/weights_info.hpp>
#include <tenon/train/callbacks/history.hpp>

namespace tenon {

/// What a fit is about to do.
struct FitPlan {
    long step = 0;         ///< iterations the trainer has done
    long first_epoch = 0;  ///< the epoch it begins or resumes with
    long epochs = 0;       ///< it ends before this epoch; 0: when its time is up
    double budget_seconds = 0;
    double seconds = 0;  ///< that earlier runs of this fit took
    long batches = 0;    ///< in an epoch
    long images = 0;     ///< in an epoch
    long classes = 0;    ///< results of the network; 0: not known
    bool is_resumed = false;
};

inline namespace TENON_ISA_NAMESPACE {

/// What a callback may do to the trainer that calls it.
class TrainerControl {
public:
    virtual ~TrainerControl() = default;
    /// Ends the fit after the current iteration or epoch; the epoch is closed, validated and reported.
    virtual void stop(const std::string& reason) = 0;
    /// Ends the fit after the current iteration, validation batch or epoch, and leaves the epoch open: a checkpoint
    /// that is saved in on_interrupt resumes right there and ends with the same bits as a fit that nothing interrupted.
    virtual void interrupt(const std::string& reason) = 0;
    /// Saves the weights that evaluate would use, as safetensors, with the names of their classes and whatever else
    /// `info` holds.
    virtual void save_weights(const std::string& path, const WeightsInfo& info = {}) = 0;
    /// Saves the complete state (train/checkpoints/checkpoint.hpp).
    virtual void save_checkpoint(const std::string& path) = 0;
    /// Remembers the weights that evaluate would use, and returns to them.
    virtual void keep_weights() = 0;
    /// Gives the trainer the weights of the last keep_weights().
    virtual void return_to_kept_weights() = 0;
    /// The reports of all complete epochs.
    virtual const History& history() const = 0;
    /// The processes that train together. All of them call their callbacks; save_weights and save_checkpoint write in
    /// rank 0 only, and what one of them stops or interrupts, all do.
    virtual distributed::World world() const { return {}; }
};

/// Derive from it and give the fit a pointer. An exception from a callback ends the fit and reaches the fit's caller.
/// A fit ends with on_end, with on_interrupt or with an exception, and in each case with on_leave.
class Callback {
public:
    virtual ~Callback() = default;
    /// Whether it only writes files or shows something: of several processes that train together, only rank 0 calls it.
    virtual bool is_output() const { return false; }
    /// Before the first iteration of a fit.
    virtual void on_begin(const FitPlan&, TrainerControl&) {}
    /// After each iteration.
    virtual void on_step(const StepReport&, TrainerControl&) {}
    /// After each batch of a validation during the fit.
    virtual void on_validation_batch(TrainerControl&) {}
    /// After each epoch, when it has been validated.
    virtual void on_epoch(const EpochReport&, TrainerControl&) {}
    /// The fit is done or was stopped.
    virtual void on_end(TrainerControl&) {}
    /// The fit was interrupted: it can be resumed from what is saved here.
    virtual void on_interrupt(TrainerControl&) {}
    /// The fit is over, perhaps by an exception, and perhaps by one before this callback's on_begin.
    virtual void on_leave() noexcept {}
};

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon
