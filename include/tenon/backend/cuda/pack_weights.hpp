// Packing: the parameters of a network into the order in which CUDA's kernels read them, batch norms folded.
#pragma once

#include <cmath>
#include <span>
#include <vector>

#include <tenon/backend/cuda/plan.hpp>

namespace tenon::cuda {
inline namespace TENON_ISA_NAMESPACE {

/// Packs the weights of single steps into memory of the host. Folding is done in double and rounded once.
template <Precision P>
class WeightPacker {
public:
    /// `tensors[i]` points to parameter i in its own order; all of them stay the caller's.
    WeightPacker(std::span<const LayerInfo> layers, std::span<const float* const> tensors)
        : layers_{layers}, tensors_{tensors} {}

    /// Writes a step's weights into a copy of the arena of weights, which is zero before.
    void pack(const Step& step, unsigned char* arena) const {
        if (step.is_product()) pack_product(step, arena);
        if (!step.activated.exists()) return;
        const int channels = step.activated.channels;
        const Affine affine = affine_of(step.activated_norm, channels);
        float* const scale = reinterpret_cast<float*>(arena + step.activated_scale);
        for (int c = 0; c < channels; ++c) {
            scale[c] = static_cast<float>(affine.scale[at(c)]);
            scale[channels + c] = static_cast<float>(affine.shift[at(c)]);
        }
    }

private:
    /// What a batch norm or a scale does to a channel at inference: x * scale + shift. One and zero without a norm.
    struct Affine {
        std::vector<double> scale, shift;
    };

    static std::size_t at(long index) { return static_cast<std::size_t>(index); }

    const float* tensor(int layer, int which) const { return tensors_[at(layers_[at(layer)].first_parameter + which)]; }

    Affine affine_of(int norm, int channels) const {
        Affine affine{std::vector<double>(at(channels), 1.0), std::vector<double>(at(channels), 0.0)};
        if (norm < 0) return affine;
        const LayerInfo& layer = layers_[at(norm)];
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

    static Number<P> rounded(double weight) {
        const auto value = static_cast<float>(weight);
        if constexpr (P == Precision::tensor_float32) return float_of_bits(round_to_tensor_float(bits_of(value)));
        return from_float<Number<P>>(value);
    }

    /// Output by output: taps, and innermost the channels of the source; channels that are padded or of another group
    /// keep their zeros.
    void pack_product(const Step& step, unsigned char* arena) const {
        const int outputs = step.result().channels;
        std::vector<double> shift(at(outputs), 0.0);
        for (const Term& term : step.terms) {
            if (!term.source.exists()) continue;
            const LayerInfo& layer = layers_[at(term.layer)];
            const Affine affine = affine_of(term.norm, outputs);
            const bool bias = layer.parameters > 1;
            for (int o = 0; o < outputs; ++o)
                shift[at(o)] +=
                    affine.shift[at(o)] + (bias ? double{tensor(term.layer, 1)[o]} * affine.scale[at(o)] : 0.0);
            auto* to = reinterpret_cast<Number<P>*>(arena + term.weights);
            const float* weight = tensor(term.layer, 0);
            if (step.kind == OpKind::linear) {
                const long channels = term.map.channels, pixels = term.map.pixels();
                for (int o = 0; o < outputs; ++o, to += term.depth)
                    for (long c = 0; c < channels; ++c)
                        for (long pixel = 0; pixel < pixels; ++pixel)
                            to[pixel * term.map.pitch + c] = rounded(double{*weight++} * affine.scale[at(o)]);
                continue;
            }
            const int inputs = term.inputs, taps = term.window.taps();
            const int group_outputs = outputs * inputs / term.source.channels;
            for (int o = 0; o < outputs; ++o, to += term.depth) {
                const int first = o / group_outputs * inputs % term.group_channels;
                for (int i = 0; i < inputs; ++i)
                    for (int tap = 0; tap < taps; ++tap)
                        to[tap * term.group_channels + first + i] = rounded(double{*weight++} * affine.scale[at(o)]);
            }
        }
        float* const to = reinterpret_cast<float*>(arena + step.shift);
        for (int o = 0; o < outputs; ++o) to[o] = static_cast<float>(shift[at(o)]);
    }

    std::span<const LayerInfo> layers_;
    std::span<const float* const> tensors_;
};

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::cuda
