// CudaTrainingDevice: declares for every compiler what trains a network on a GPU; <tenon/cuda_training.hpp> defines it
// for nvcc.
#pragma once

#include <tenon/backend/cuda/precision.hpp>
#include <tenon/train/loss.hpp>

namespace tenon {

/// A batch of images with labels or soft targets, whichever is not null.
struct TrainingBatch {
    const float* images = nullptr;
    long size = 0;
    const int* labels = nullptr;
    const float* targets = nullptr;
};

/// Trains one network on the current device. Stands outside of the instruction set's namespace, and its functions are
/// defined by <tenon/cuda.hpp> for nvcc, as CudaEngine's are.
template <class Net, Precision P>
class CudaTrainingDevice {
public:
    explicit CudaTrainingDevice(int largest_batch);
    CudaTrainingDevice(const CudaTrainingDevice&) = delete;
    CudaTrainingDevice& operator=(const CudaTrainingDevice&) = delete;
    ~CudaTrainingDevice();

    void set_parameters(const float* values);
    void get_parameters(float* values);
    void get_gradients(float* values);
    void get_logits(float* values, long images);
    LossResult forward_backward(const TrainingBatch& batch, StepOptions options);

private:
    struct State;
    State* state_ = nullptr;
};

}  // namespace tenon
