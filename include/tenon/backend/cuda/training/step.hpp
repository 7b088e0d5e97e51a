#pragma once
// IWYU pragma: private, include <tenon/cuda.hpp>

// A step of training on CUDA: an operation of a training program with places in memory, and the addresses it runs on.

#include <tenon/backend/cuda/launch/inference.hpp>
#include <tenon/backend/cuda/training/map.hpp>
#include <tenon/backend/shared/loss_scale.hpp>
#include <tenon/program/training/training_program.hpp>

namespace tenon::cuda {

/// Where a layer's parameters are in the array of parameters, in floats; -1: it has none. The array of gradients has
/// the same offsets.
struct LayerPlaces {
    long weight = -1, bias = -1;
    long gamma = -1, beta = -1, running_mean = -1, running_variance = -1;
};

/// How a term's weights are packed (training/pack.hpp).
struct TermPacking {
    int outputs = 0, inputs = 0, taps = 1, groups = 1;
    int rows = 0;  ///< of the packed weights: outputs or, for a data gradient, inputs
    bool linear = false;
};

/// One operation of a training program with places in memory. In a forward operation, `step` is the step that inference
/// would run; in a data gradient, the convolution that computes it; in a weight gradient, the term that the weights
/// belong to, with the gradient as its target.
struct TrainingStep {
    TrainingKind kind{};
    Step step{};
    Tensor gradient{}, sum{}, result{};
    Tensor other{};  ///< of a product: the operand whose gradient this is not
    LayerPlaces layers[2]{};
    TermPacking packing[2]{};
    long statistics = -1;  ///< of a batch norm: its offset in the derived numbers, in floats
    int layer = -1;        ///< LayerInfo of the operation or of the term
    bool frozen = false;
    double epsilon = 0, momentum = 0, rate = 0;  ///< of the layer
    int pack = 1;                                ///< channels of the target or gradient that are summed at once
    bool packs = false;                          ///< whether its weights are packed for it, and for no step before

    constexpr const Tensor& source() const { return step.terms[0].source; }
    constexpr const Tensor& target() const { return step.target; }
};

/// The addresses a step of training runs on, all on the device.
template <class Driver>
struct TrainingFrame {
    Frame<Driver> frame{};            ///< its weights are `packed`; the scratch memory for sums is shared by all steps
    float* parameters = nullptr;      ///< in the order of the program's parameters
    float* gradients = nullptr;       ///< in the same order
    unsigned char* packed = nullptr;  ///< the weights of all steps
    float* statistics = nullptr;      ///< derived numbers of all batch norms
    const StepScalars* scalars = nullptr;
    const LossScale* scale = nullptr;  ///< of the loss; null: the loss is not scaled

    float* parameter(long offset) const { return offset < 0 ? nullptr : parameters + offset; }
    float* parameter_gradient(long offset) const { return offset < 0 ? nullptr : gradients + offset; }
};

/// Launches a step's kernels.
template <class Driver>
using TrainingFunction = void (*)(const TrainingStep&, const TrainingFrame<Driver>&);

}  // namespace tenon::cuda
