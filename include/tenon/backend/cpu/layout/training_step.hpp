#pragma once
// IWYU pragma: private, include <tenon/training.hpp>

// A step of training on the CPU: a kernel's constants and the addresses it works on.

#include <algorithm>
#include <span>

#include <tenon/backend/cpu/layout/step.hpp>
#include <tenon/program/training/training_program.hpp>

namespace tenon::cpu {

/// One operation of a training program with the places of its values. In a forward operation, `step` is the step that
/// inference would run. In a gradient of a convolution, `step` is either the convolution that computes the data
/// gradient, or, for a weight gradient, the term that the weights belong to, with the gradient of the result as its
/// target.
struct TrainingStep {
    TrainingKind kind{};
    Step step{};
    Tensor gradient{}, sum{}, result{};
    Tensor other{};        ///< of a product: the operand whose gradient this is not
    int layer = -1;        ///< LayerInfo of the operation or of the term
    long statistics = -1;  ///< of a batch norm: its offset in the statistics, in floats
    bool frozen = false;

    constexpr const Tensor& source() const { return step.terms[0].source; }
    constexpr const Tensor& target() const { return step.target; }
};

inline namespace TENON_ISA_NAMESPACE {

/// The addresses a training step works on. The arenas of a batch's images follow each other in memory.
struct TrainingFrame {
    Frame frame{};  ///< its weights are `packed`
    const LayerInfo* layers = nullptr;
    const Parameter* tensors = nullptr;
    float* parameters = nullptr;   ///< in the order of the program's parameters
    float* gradients = nullptr;    ///< in the same order
    float* packed = nullptr;       ///< scratch: packed weights, or the gradient of weights before it is unpacked
    float* transformed = nullptr;  ///< scratch: transformed tiles for Winograd's weight gradients
    long transformed_floats = 0;
    float* statistics = nullptr;
    float* partials = nullptr;  ///< scratch: two sums per channel, for each image
    std::uint64_t seed = 0;

    const LayerInfo& layer(int index) const { return layers[index]; }
    /// A layer's parameter and its gradient; nullptr if it has none with this role.
    float* parameter(int layer, ParameterRole role) const { return find(parameters, layer, role); }
    float* gradient(int layer, ParameterRole role) const { return find(gradients, layer, role); }
    Workers& team() const { return *frame.team; }

    /// Pixel (y, x) of a plane of a tensor.
    float* at(const Tensor& tensor, int image, int plane, int y, int x) const {
        return frame.image(image) + tensor.origin() + long{plane} * tensor.plane() + long{y} * tensor.row() +
               long{x} * channel_block;
    }

private:
    float* find(float* arena, int layer, ParameterRole role) const {
        const int tensor = parameter_of(layers[layer], tensors, role);
        return tensor < 0 ? nullptr : arena + tensors[tensor].offset;
    }
};

/// A kernel of training: runs a step for all images.
using TrainingFunction = void (*)(const TrainingStep&, const TrainingFrame&);

/// Calls f(image, plane) for all planes of a tensor and all images, split among the team; zeroes the tensor's border.
template <class F>
void for_each_target_plane(const TrainingFrame& frame, const Tensor& target, const F& f) {
    const int planes = target.planes();
    frame.team().for_each(frame.frame.images * planes, [&](int i) {
        if (target.has_border()) zero_border(target, frame.frame.image(i / planes), i % planes, i % planes + 1);
        f(i / planes, i % planes);
    });
}

/// Calls f(plane, first channel, channels) for all blocks of channels, split among the team.
template <class F>
void for_each_block(const TrainingFrame& frame, const Tensor& tensor, const F& f) {
    frame.team().for_each(tensor.planes(), [&](int plane) {
        f(plane, plane * channel_block, std::min(channel_block, tensor.channels - plane * channel_block));
    });
}

/// Where the per-channel numbers of a batch norm are: seven arrays of one float per channel, padded with zeros to
/// complete channel blocks.
struct NormNumbers {
    float *mean, *inverse, *scale, *shift;  ///< normalized = (x - mean) * inverse, result = x * scale + shift
    float *mean_gradient, *mean_product;    ///< means of the gradient, and of gradient * normalized
    static constexpr int count = 6;

    NormNumbers(const TrainingStep& step, const TrainingFrame& frame, int channel = 0) {
        const long stride = long{step.source().planes()} * channel_block;
        float* begin = frame.statistics + step.statistics + channel;
        mean = begin;
        inverse = begin + stride;
        scale = begin + 2 * stride;
        shift = begin + 3 * stride;
        mean_gradient = begin + 4 * stride;
        mean_product = begin + 5 * stride;
    }
};

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::cpu
