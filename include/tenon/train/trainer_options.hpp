// What a trainer and a fit are told.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include <tenon/program/loss_scale.hpp>
#include <tenon/train/callback.hpp>
#include <tenon/train/exponential_average.hpp>
#include <tenon/train/initializers.hpp>
#include <tenon/train/schedule.hpp>

namespace tenon {

/// What a trainer is constructed with besides its optimizer.
struct TrainerOptions {
    int batch_size = 128;        ///< images of the largest batch; decides the memory
    std::uint64_t seed = 0;      ///< of initial parameters and dropouts
    int threads = 0;             ///< 0: one per core this process may use
    double label_smoothing = 0;  ///< share of the target that is spread over all classes
    double clip_norm = 0;        ///< gradients are scaled so that their norm is at most this; 0: they aren't
    Initialization initialization{};
    std::optional<AverageOptions> average{};  ///< evaluate a moving average of the parameters
    LossScaling loss_scaling{};               ///< of backends that need it: CudaWith<Precision::float16>
};

inline namespace TENON_ISA_NAMESPACE {

/// What a fit is told. It ends after `epochs` or when its time is up, whichever comes first; one of both must be given.
struct FitOptions {
    int epochs = 0;  ///< 0: until the time is up
    /// Wall-clock time for everything, validations included; 0: without end. The schedule is stretched to it: its end
    /// falls on the end of the time, however fast the machine is. Such a run can't be repeated bit by bit.
    double budget_seconds = 0;
    Schedule schedule = schedules::constant();
    std::vector<Callback*> callbacks{};  ///< called in their order; they belong to the caller
    int validate_every = 1;              ///< epochs between validations; the last epoch is always validated
};

/// What a restore is told.
struct RestoreOptions {
    bool fall_back = false;  ///< take the previous checkpoint where the last one can't be read
};

/// What a restore did.
struct Restored {
    std::string path;     ///< the file that was read
    std::string problem;  ///< why it was not the last one; empty if it was
};

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon
