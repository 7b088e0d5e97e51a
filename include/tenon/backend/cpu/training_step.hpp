// A step of training on the CPU: a kernel's constants, and the addresses it works on.
#pragma once

#include <span>

#include <tenon/backend/cpu/step.hpp>
#include <tenon/program/training_program.hpp>

namespace tenon {

/// One operation of a training program with places. `step` describes a forward operation as inference does; for the
/// gradients of a convolution it is the convolution that computes the data gradient, or the term whose weights it is
/// about with the gradient as target.
struct TrainingStep {
    TrainingKind kind{};
    Step step{};
    Tensor gradient{}, sum{}, result{};
    Tensor other{};        ///< of a product: the operand that the gradient is not of
    int layer = -1;        ///< LayerInfo of the operation, or of the term
    long statistics = -1;  ///< of a batch norm: its place among the statistics
    bool frozen = false;

    constexpr const Tensor& source() const { return step.terms[0].source; }
    constexpr const Tensor& target() const { return step.target; }
};

inline namespace TENON_ISA_NAMESPACE {

/// The addresses a training step works on. The images of a batch have their arenas one after the other.
struct TrainingFrame {
    Frame frame{};  ///< its weights are `packed`
    const LayerInfo* layers = nullptr;
    const Parameter* tensors = nullptr;
    float* parameters = nullptr;   ///< in the order of the program
    float* gradients = nullptr;    ///< the same
    float* packed = nullptr;       ///< scratch: packed weights, or a gradient of weights
    float* transformed = nullptr;  ///< scratch: tiles of Winograd's weight gradients
    long transformed_floats = 0;
    float* statistics = nullptr;
    float* partials = nullptr;  ///< scratch: two sums per channel, for each image
    std::uint64_t seed = 0;

    const LayerInfo& layer(int index) const { return layers[index]; }
    float* parameter(int layer, int which) const { return parameters + offset(layer, which); }
    float* gradient(int layer, int which) const { return gradients + offset(layer, which); }
    bool has_bias(int layer) const { return layers[layer].parameters > 1; }
    const Team& team() const { return *frame.team; }

    /// Pixel (y, x) of a plane of a tensor.
    float* at(const Tensor& tensor, int image, int plane, int y, int x) const {
        return frame.image(image) + tensor.origin() + static_cast<long>(plane) * tensor.plane() +
               static_cast<long>(y) * tensor.row() + static_cast<long>(x) * block;
    }

private:
    long offset(int layer, int which) const { return tensors[layers[layer].first_parameter + which].offset; }
};

/// A kernel of training: works off a step for all images.
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
    frame.team().for_each(
        tensor.planes(), [&](int plane) { f(plane, plane * block, std::min(block, tensor.channels - plane * block)); });
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon
