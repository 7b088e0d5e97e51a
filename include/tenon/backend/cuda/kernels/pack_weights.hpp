#pragma once
// IWYU pragma: private, include <tenon/cuda.hpp>

// Packing: parameters of a network, batch norms folded in, in the order in which CUDA's kernels read them.

#include <cmath>
#include <span>
#include <vector>

#include <tenon/backend/cuda/plan/plan.hpp>
#include <tenon/backend/shared/layer_parameters.hpp>
#include <tenon/core/index.hpp>

namespace tenon::cuda {
inline namespace TENON_ISA_NAMESPACE {

/// Packs the weights of single steps into memory of the host. Folding is computed in double and rounded once.
template <Precision P>
class WeightPacker : LayerParameters {
public:
    using LayerParameters::LayerParameters;

    /// Writes a step's weights into a copy of the arena of weights, which must be zero before.
    void pack(const Step& step, unsigned char* arena) const {
        if (step.is_product()) pack_product(step, arena);
        if (!step.activated.exists()) return;
        const int channels = step.activated.channels;
        const Affine affine = affine_of(step.activated_norm, channels);
        float* const scale = reinterpret_cast<float*>(arena + step.activated_scale);
        for (int c = 0; c < channels; ++c) {
            scale[c] = static_cast<float>(affine.scale[index(c)]);
            scale[channels + c] = static_cast<float>(affine.shift[index(c)]);
        }
    }

private:
    static Number<P> rounded(double weight) {
        const auto value = static_cast<float>(weight);
        if constexpr (P == Precision::tensor_float32) return float_of_bits(round_to_tensor_float(bits_of(value)));
        return from_float<Number<P>>(value);
    }

    /// Output by output: taps, and innermost the channels of the source; channels that are padding or belong to another
    /// group stay zero.
    void pack_product(const Step& step, unsigned char* arena) const {
        const int outputs = step.result().channels;
        std::vector<double> shift(index(outputs), 0.0);
        for (const Term& term : step.terms) {
            if (!term.source.exists()) continue;
            const Affine affine = affine_of(term.norm, outputs);
            add_shift(term.layer, affine, shift);
            auto* to = reinterpret_cast<Number<P>*>(arena + term.weights);
            const float* weight = tensor(term.layer, ParameterRole::weight);
            if (step.kind == OpKind::linear) {
                const long channels = term.map.channels, pixels = term.map.pixels();
                for (int o = 0; o < outputs; ++o, to += term.depth)
                    for (long c = 0; c < channels; ++c)
                        for (long pixel = 0; pixel < pixels; ++pixel)
                            to[pixel * term.map.pitch + c] = rounded(double{*weight++} * affine.scale[index(o)]);
                continue;
            }
            const int inputs = term.inputs, row_taps = term.row > 0 ? term.row_taps : 1;
            const int taps = term.window.taps() * row_taps;
            // Without rows, each tap has the channels of a group.
            const auto place = [&](int tap) {
                return tap / row_taps * term.group_channels + tap % row_taps * padded_input;
            };
            const int group_outputs = outputs * inputs / term.source.channels;
            for (int o = 0; o < outputs; ++o, to += term.depth) {
                const int first = o / group_outputs * inputs % term.group_channels;
                for (int i = 0; i < inputs; ++i)
                    for (int tap = 0; tap < taps; ++tap)
                        to[place(tap) + first + i] = rounded(double{*weight++} * affine.scale[index(o)]);
            }
        }
        float* const to = reinterpret_cast<float*>(arena + step.shift);
        for (int o = 0; o < outputs; ++o) to[o] = static_cast<float>(shift[index(o)]);
        if constexpr (number_bytes(P) < 4)
            for (int o = 0; o < outputs; ++o) reinterpret_cast<Number<P>*>(to + outputs)[o] = rounded(double{to[o]});
    }
};

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::cuda
