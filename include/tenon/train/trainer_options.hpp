#pragma once
// IWYU pragma: private, include <tenon/training.hpp>

// Options of a trainer and of a fit.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <tenon/distributed/world.hpp>
#include <tenon/engine/training_types.hpp>
#include <tenon/train/callbacks/callback.hpp>
#include <tenon/train/optimizers/exponential_average.hpp>
#include <tenon/train/optimizers/initializers.hpp>
#include <tenon/train/schedules/schedule.hpp>

namespace tenon {
inline namespace TENON_ISA_NAMESPACE {

/// Options of a trainer besides its optimizer.
struct TrainerOptions {
    int batch_size = 128;        ///< images of the largest batch; decides the memory
    std::uint64_t seed = 0;      ///< of initial parameters and dropout
    int threads = 0;             ///< 0: one per core this process may use
    double label_smoothing = 0;  ///< share of the target that is spread over all classes
    double clip_norm = 0;        ///< gradients are scaled so that their norm is at most this; 0: no clipping
    Initialization initialization{};
    std::optional<AverageOptions> average{};  ///< evaluate a moving average of the parameters
    LossScaling loss_scaling{};               ///< for backends that need it: CudaWith<Precision::float16>
    int device = -1;                          ///< on CUDA, the number of the device; -1: the current one
    /// The processes that train together, each with an equal share of the shards; by default this one alone.
    distributed::World world{};
    /// Parts of equal size that a batch is divided into; 0: one per process. They are computed one after another in a
    /// process, so that it needs memory for one of them, and decide the bits of the result; the processes don't. Batch
    /// norms see one part at a time, or all with the backend distributed::SyncNorms.
    int shards = 0;
    int accumulate = 1;  ///< batches per iteration: the update is that of the mean loss over them
    /// What is done to images before they are batches, in any words; checkpoints keep it, and one with other words is
    /// not restored. Empty: whoever restores one answers for that.
    std::string preprocessing{};
};

/// Options of a fit. It ends after `epochs` or when its time is up, whichever comes first; one of the two must be
/// given.
struct FitOptions {
    int epochs = 0;  ///< 0: until the time is up
    /// Wall-clock time for everything, validations included; 0: no limit. The schedule is stretched so that its end
    /// coincides with the end of the time, however fast the machine is. Such a run can't be repeated bit by bit.
    double budget_seconds = 0;
    Schedule schedule = schedules::constant();
    std::vector<Callback*> callbacks{};  ///< called in this order; they belong to the caller
    int validate_every = 1;              ///< epochs between validations; the last epoch is always validated
};

/// Options of Trainer::restore.
struct RestoreOptions {
    bool fall_back = false;  ///< whether to read the previous checkpoint where the last one can't be read
};

}  // namespace TENON_ISA_NAMESPACE

namespace detail {
inline namespace TENON_ISA_NAMESPACE {

/// The result of Trainer::restore.
struct Restored {
    std::string path;     ///< the file that was read
    std::string problem;  ///< why the last checkpoint was not read; empty if it was
};

}  // namespace TENON_ISA_NAMESPACE
}  // namespace detail

}  // namespace tenon
