// A network's parameters by layer, and what a batch norm is at inference: what the packing of all backends begins with.
#pragma once

#include <algorithm>
#include <cmath>
#include <span>
#include <vector>

#include <tenon/core/isa.hpp>
#include <tenon/program/program.hpp>

namespace tenon {
inline namespace TENON_ISA_NAMESPACE {

/// What a batch norm or a scale does to a channel at inference: x * scale + shift. One and zero without a norm.
struct Affine {
    std::vector<double> scale, shift;
};

/// Parameters of layers, in double where they are combined.
class LayerParameters {
public:
    /// `tensors[i]` points to parameter i in its own order; all of them stay the caller's.
    LayerParameters(std::span<const LayerInfo> layers, std::span<const float* const> tensors)
        : layers_{layers}, tensors_{tensors} {}

    /// Parameter `which` of a layer.
    const float* tensor(int layer, int which) const { return tensors_[at(info(layer).first_parameter + which)]; }

    /// What a norm, or a scale, does to each of its channels; `norm` of -1: nothing.
    Affine affine_of(int norm, int channels) const {
        Affine affine{std::vector<double>(at(channels), 1.0), std::vector<double>(at(channels), 0.0)};
        if (norm < 0) return affine;
        const LayerInfo& layer = info(norm);
        if (layer.path.kind == OpKind::scale) {
            std::fill(affine.scale.begin(), affine.scale.end(), layer.rate);
            return affine;
        }
        const bool has_affine = layer.parameters == 4;
        const float *mean = tensor(norm, layer.parameters - 2), *variance = tensor(norm, layer.parameters - 1);
        for (int c = 0; c < channels; ++c) {
            const double gamma = has_affine ? double{tensor(norm, 0)[c]} : 1.0;
            const double beta = has_affine ? double{tensor(norm, 1)[c]} : 0.0;
            affine.scale[at(c)] = gamma / std::sqrt(double{variance[c]} + layer.epsilon);
            affine.shift[at(c)] = beta - double{mean[c]} * affine.scale[at(c)];
        }
        return affine;
    }

    /// Adds a layer's bias, scaled by the norm folded into it, and the norm's shift to the sums' start.
    void add_shift(int layer, const Affine& affine, std::span<double> sums) const {
        const bool bias = info(layer).parameters > 1;
        for (std::size_t c = 0; c < sums.size(); ++c)
            sums[c] += affine.shift[c] + (bias ? double{tensor(layer, 1)[c]} * affine.scale[c] : 0.0);
    }

private:
    static std::size_t at(int index) { return static_cast<std::size_t>(index); }

    const LayerInfo& info(int layer) const { return layers_[at(layer)]; }

    std::span<const LayerInfo> layers_;
    std::span<const float* const> tensors_;
};

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon
