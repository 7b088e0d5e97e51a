// CudaTrainingDevice: declares for every compiler what trains a network on a GPU; <tenon/cuda_training.hpp> defines it
// for nvcc.
#pragma once

#include <tenon/backend/cuda/precision.hpp>
#include <tenon/program/loss_scale.hpp>
#include <tenon/program/update_rule.hpp>
#include <tenon/train/loss.hpp>
#include <tenon/train/parameter_runs.hpp>

namespace tenon {

/// A batch of images with labels or soft targets, whichever is not null.
struct TrainingBatch {
    const float* images = nullptr;
    long size = 0;
    const int* labels = nullptr;
    const float* targets = nullptr;
};

/// The arenas on the device, all in the order of the network's parameters.
enum class TrainingArena { parameters, gradients, average, first_slot, second_slot };

/// What an update is told besides its rule.
struct UpdateStep {
    double learning_rate = 0;
    long number = 1;           ///< of the step, counted from 1
    double clip_norm = 0;      ///< gradients are scaled so that their norm is at most this; 0: they aren't
    bool average = false;      ///< the step moves the average of the parameters,
    double average_decay = 0;  ///< which keeps this share
};

/// What a step that ended in an update returns. The parameters are unchanged if the loss is not finite, or if its
/// scaled gradients overflowed.
struct UpdateResult {
    LossResult loss{};
    double gradient_norm = 0;  ///< before clipping; 0 if there is none
};

/// Trains one network on the current device. Stands outside of the instruction set's namespace, and its functions are
/// defined by <tenon/cuda_training.hpp> for nvcc, as CudaEngine's are by <tenon/cuda.hpp>. CudaTrainingRunner documents
/// them.
template <class Net, Precision P>
class CudaTrainingDevice {
public:
    static constexpr bool scales_loss = tenon::scales_loss(P);

    explicit CudaTrainingDevice(int largest_batch, const LossScaling& scaling = {});
    CudaTrainingDevice(const CudaTrainingDevice&) = delete;
    CudaTrainingDevice& operator=(const CudaTrainingDevice&) = delete;
    ~CudaTrainingDevice();

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
    State* state_ = nullptr;
};

}  // namespace tenon
