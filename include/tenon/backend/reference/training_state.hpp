#pragma once
// IWYU pragma: private, include <tenon/training.hpp>

// What the naive training engine works on: values of a batch, parameters, gradients and batch statistics as vectors.

#include <cmath>
#include <span>

#include <tenon/backend/reference/ops.hpp>
#include <tenon/core/dropout_mask.hpp>
#include <tenon/program/training/training_program.hpp>

namespace tenon::reference {
inline namespace TENON_ISA_NAMESPACE {

/// Which products round their operands, and how; none do without a function.
template <class Scalar>
struct RoundedProducts {
    Scalar (*round)(Scalar) = nullptr;
    bool (*includes)(int layer, TrainingKind kind) = nullptr;  ///< kind: forward, or one of the gradients
};

/// The state of a training step in memory that is easy to look at: value v of image n is elements [n * size, (n + 1) *
/// size) of values[v], in the order channel, row, column.
template <class Scalar>
struct TrainingState {
    using Vector = std::vector<Scalar>;

    std::span<const Shape> shapes;
    std::span<const LayerInfo> layers;
    std::span<const Parameter> tensors;
    std::span<Scalar> parameters, gradients;  ///< arenas
    std::vector<Vector> values;
    std::vector<Vector> mean, inverse_deviation;  ///< of the batch, per layer
    long batch = 0;
    std::uint64_t seed = 0;
    bool update_running = true;
    RoundedProducts<Scalar> rounding{};
    bool guided = false;  ///< whether a ReLU lets only positive gradients pass (guided backpropagation)

    const LayerInfo& layer(int number) const { return layers[index(number)]; }
    Shape shape(int value) const { return shapes[index(value)]; }
    Vector& value(int number) { return values[index(number)]; }

    /// The values of a layer's parameter, and their gradients; empty if it has none with this role.
    std::span<Scalar> parameter(int number, ParameterRole role) const { return slice(parameters, number, role); }
    std::span<Scalar> gradient(int number, ParameterRole role) const { return slice(gradients, number, role); }
    Scalar gamma(int number, std::size_t channel) const {
        const std::span<Scalar> gammas = parameter(number, ParameterRole::gamma);
        return gammas.empty() ? Scalar{1} : gammas[channel];
    }
    Scalar beta(int number, std::size_t channel) const {
        const std::span<Scalar> betas = parameter(number, ParameterRole::beta);
        return betas.empty() ? Scalar{0} : betas[channel];
    }

    /// Mean and reciprocal deviation that a batch norm normalizes by: the batch's, or the running ones if it is frozen.
    Scalar norm_mean(int number, std::size_t channel) const {
        return layer(number).frozen ? parameter(number, ParameterRole::running_mean)[channel]
                                    : mean[index(number)][channel];
    }
    Scalar norm_inverse_deviation(int number, std::size_t channel) const {
        if (!layer(number).frozen) return inverse_deviation[index(number)][channel];
        const Scalar variance = parameter(number, ParameterRole::running_variance)[channel];
        return 1 / std::sqrt(variance + static_cast<Scalar>(layer(number).epsilon));
    }

    /// Prepares a target: as large as the batch needs, holding what is added to it or zeros.
    Vector& start(int target, int sum) {
        Vector& result = value(target);
        const std::size_t size = index(batch * shape(target).elements());
        if (sum >= 0 && sum != target)
            result = value(sum);
        else
            result.assign(size, Scalar{0});
        return result;
    }

    /// An operand of the products of a layer, forward or of one of its gradients: as it is, or rounded to `copy`.
    std::span<const Scalar> rounded(int number, TrainingKind kind, std::span<const Scalar> operand,
                                    Vector& copy) const {
        if (!rounding.round || !rounding.includes(number, kind)) return operand;
        copy.resize(operand.size());
        for (std::size_t i = 0; i < operand.size(); ++i) copy[i] = rounding.round(operand[i]);
        return copy;
    }

    DropoutMask mask(int number) const { return {seed, number, layer(number).rate}; }

private:
    std::span<Scalar> slice(std::span<Scalar> arena, int number, ParameterRole role) const {
        const int found = parameter_of(layer(number), tensors.data(), role);
        if (found < 0) return {};
        const Parameter& tensor = tensors[index(found)];
        return arena.subspan(index(tensor.offset), index(tensor.elements()));
    }
};

/// The channel of an element of a batch's value.
inline std::size_t channel_of(Shape shape, std::size_t element) {
    return element / index(shape.pixels()) % index(shape.channels);
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::reference
