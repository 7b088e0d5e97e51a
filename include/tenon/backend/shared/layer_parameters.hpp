#pragma once
// IWYU pragma: private, include <tenon/inference.hpp>

// A network's parameters by layer, and what a batch norm is in inference: what packing begins with on all backends.

#include <span>
#include <vector>

#include <tenon/core/cold.hpp>
#include <tenon/core/index.hpp>
#include <tenon/core/isa.hpp>
#include <tenon/core/math.hpp>
#include <tenon/core/min_max.hpp>
#include <tenon/program/program.hpp>

namespace tenon::detail {
inline namespace TENON_ISA_NAMESPACE {

/// What a batch norm or a scale does to a channel at inference: x * scale + shift. One and zero without a norm.
struct Affine {
    std::vector<double> scale, shift;
};

/// Parameters of layers, in double where they are combined.
class LayerParameters {
public:
    /// `tensors[i]` points to parameter i in its own order; all of them stay the caller's.
    LayerParameters(std::span<const LayerInfo> layers, std::span<const Parameter> parameters,
                    std::span<const float* const> tensors)
        : layers_{layers}, parameters_{parameters}, tensors_{tensors} {}

    /// A layer's parameter; nullptr if it has none with this role.
    const float* tensor(int layer, ParameterRole role) const {
        const int parameter = parameter_of(info(layer), parameters_.data(), role);
        return parameter < 0 ? nullptr : tensors_[index(parameter)];
    }

    /// What a norm, or a scale, does to each of its channels; nothing for `norm` = -1.
    TENON_RUNS_ONCE Affine affine_of(int norm, int channels) const {
        Affine affine{std::vector<double>(index(channels), 1.0), std::vector<double>(index(channels), 0.0)};
        if (norm < 0) return affine;
        const LayerInfo& layer = info(norm);
        if (layer.path.kind == OpKind::scale) {
            std::fill(affine.scale.begin(), affine.scale.end(), layer.rate);
            return affine;
        }
        const float *gammas = tensor(norm, ParameterRole::gamma), *betas = tensor(norm, ParameterRole::beta),
                    *means = tensor(norm, ParameterRole::running_mean),
                    *variances = tensor(norm, ParameterRole::running_variance);
        for (int c = 0; c < channels; ++c) {
            const double gamma = gammas ? double{gammas[c]} : 1.0, beta = betas ? double{betas[c]} : 0.0;
            affine.scale[index(c)] = gamma / detail::sqrt(double{variances[c]} + layer.epsilon);
            affine.shift[index(c)] = beta - rounded(double{means[c]} * affine.scale[index(c)]);
        }
        return affine;
    }

    /// Adds a layer's bias, scaled by the norm folded into it, and the norm's shift to the initial values of the sums.
    void add_shift(int layer, const Affine& affine, std::span<double> sums) const {
        const float* const bias = tensor(layer, ParameterRole::bias);
        for (std::size_t c = 0; c < sums.size(); ++c)
            sums[c] += affine.shift[c] + (bias ? rounded(double{bias[c]} * affine.scale[c]) : 0.0);
    }

    /// A product that the compiler doesn't fuse with an addition, as not every machine could: constants have the same
    /// bits on all of them.
    static double rounded(double product) {
        const volatile double value = product;
        return value;
    }

private:
    const LayerInfo& info(int layer) const { return layers_[index(layer)]; }

    std::span<const LayerInfo> layers_;
    std::span<const Parameter> parameters_;
    std::span<const float* const> tensors_;
};

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::detail
