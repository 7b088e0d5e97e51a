#pragma once
// IWYU pragma: private, include <tenon/training.hpp>

// TrainingDevice: declares, for every compiler, what trains a network on a GPU; <tenon/cuda.hpp> defines it for nvcc.

#include <memory>

#include <tenon/backend/cuda/driver/chosen_device.hpp>
#include <tenon/backend/shared/precision.hpp>
#include <tenon/engine/parameter_runs.hpp>
#include <tenon/engine/training_types.hpp>

namespace tenon {

namespace cuda {

/// Trains one network on a device. Not in the instruction set's namespace; <tenon/cuda.hpp> defines its
/// functions for nvcc, as those of Engine. TrainingRunner documents them.
template <class Net, Precision P>
class TrainingDevice {
public:
    static constexpr bool scales_loss = detail::scales_loss(P);

    explicit TrainingDevice(int max_batch, const LossScaling& scaling = {}, ChosenDevice device = {});
    TrainingDevice(const TrainingDevice&) = delete;
    TrainingDevice& operator=(const TrainingDevice&) = delete;

    void copy_on(int threads);
    void set(TrainingArena arena, const float* values);
    void get(TrainingArena arena, float* values);
    void get_logits(float* values, long images);
    LossScale loss_scale() const;
    void set_loss_scale(const LossScale& scale);
    LossResult forward_backward(const TrainingBatch& batch, StepOptions options);
    void prepare_updates(const UpdateRule& rule, const ParameterRun* runs, long count, bool average);
    UpdateResult train(const TrainingBatch& batch, StepOptions options, const UpdateStep& update);
    UpdateResult repeat(int times);

private:
    struct State;
    /// Deletes what only nvcc's file knows.
    struct DeleteState {
        void operator()(State* state) const;
    };

    std::unique_ptr<State, DeleteState> state_;
};

}  // namespace cuda

}  // namespace tenon
