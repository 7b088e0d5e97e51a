#pragma once
// IWYU pragma: private, include <tenon/training.hpp>

// How parameters are drawn before training: by the rules of PyTorch, Keras and He et al.

#include <algorithm>
#include <cmath>
#include <numbers>
#include <span>

#include <tenon/core/random.hpp>
#include <tenon/topology/network.hpp>

namespace tenon {

/// The distribution of a weight. fan_in is the number of products in an output (input channels of a group x taps),
/// fan_out that of an input (output channels x taps; as torch counts it, whatever the groups).
enum class WeightRule {
    torch_default,        ///< uniform within 1 / sqrt(fan_in): torch's Conv2d and Linear, kaiming_uniform_(a=sqrt(5))
    kaiming_uniform_in,   ///< uniform within sqrt(6 / fan_in): torch's kaiming_uniform_(nonlinearity="relu")
    kaiming_uniform_out,  ///< uniform within sqrt(6 / fan_out)
    kaiming_normal_in,    ///< normal with variance 2 / fan_in (He et al. 2015)
    kaiming_normal_out,   ///< normal with variance 2 / fan_out: torchvision's ResNets
    glorot_uniform,       ///< uniform within sqrt(6 / (fan_in + fan_out)): Keras' default
    normal_hundredth,     ///< normal with deviation 0.01: timm's classifiers
};

/// The distribution of a bias.
enum class BiasRule {
    zero,
    torch_default,  ///< uniform within 1 / sqrt(fan_in) of the layer's weight
};

/// How a network is initialized. Gammas and running variances are 1, betas and running means 0.
struct Initialization {
    WeightRule convolutions = WeightRule::torch_default;
    WeightRule linears = WeightRule::torch_default;
    BiasRule biases = BiasRule::torch_default;
    /// Whether each residual block begins as its shortcut: the gamma of the last batch norm of its body is 0 or, where
    /// the body ends in a convolution, the convolution's weights are (Goyal et al. 2017; torchvision's
    /// zero_init_residual, timm's zero_init_last). Bodies that end in neither stay as they are.
    bool zero_residuals = false;

    /// PyTorch's layers.
    static constexpr Initialization torch() { return {}; }
    /// torchvision's ResNets: He's normal distribution by fan_out.
    static constexpr Initialization torchvision() {
        return {WeightRule::kaiming_normal_out, WeightRule::torch_default, BiasRule::torch_default};
    }
    /// He et al.: normal by fan_in, no biases.
    static constexpr Initialization kaiming() {
        return {WeightRule::kaiming_normal_in, WeightRule::kaiming_normal_in, BiasRule::zero};
    }
    /// Keras' layers: Glorot's uniform distribution, no biases.
    static constexpr Initialization keras() {
        return {WeightRule::glorot_uniform, WeightRule::glorot_uniform, BiasRule::zero};
    }
};

namespace detail {

/// For each layer of a network: whether it is the last one of a residual block's body.
template <class Net>
inline constexpr auto ends_residual_body = [] {
    FixedVector<bool, lowered<Net>.layers.size()> last{};
    last.count = lowered<Net>.layers.size();
    for (const Op& op : lowered<Net>.ops) {
        if (op.kind != OpKind::add) continue;
        int producer = lowered<Net>.producer(op.source());
        // Operations that only scale the body's result are skipped: its last layer is before them.
        while (producer >= 0 &&
               (lowered<Net>.ops[producer].kind == OpKind::dropout || lowered<Net>.ops[producer].kind == OpKind::scale))
            producer = lowered<Net>.producer(lowered<Net>.ops[producer].source());
        if (producer < 0) continue;
        const Op& end = lowered<Net>.ops[producer];
        if (end.kind == OpKind::conv || end.kind == OpKind::batch_norm) last[end.layer()] = true;
    }
    return last;
}();

}  // namespace detail

namespace detail {
inline namespace TENON_ISA_NAMESPACE {

/// A normally distributed number from two uniform ones (Box and Muller).
inline double normal(std::uint64_t first_bits, std::uint64_t second_bits) {
    const double radius = std::sqrt(-2 * std::log(1 - uniform(first_bits, 0, 1)));
    return radius * std::cos(2 * std::numbers::pi * uniform(second_bits, 0, 1));
}

/// One weight: element `index` of the stream.
inline double draw_weight(WeightRule rule, double fan_in, double fan_out, std::uint64_t seed, std::uint64_t stream,
                          std::uint64_t index) {
    const auto within = [&](double bound) { return uniform(random_bits(seed, stream, index), -bound, bound); };
    const auto deviating = [&](double deviation) {
        return deviation * normal(random_bits(seed, stream, 2 * index), random_bits(seed, stream, 2 * index + 1));
    };
    switch (rule) {
        case WeightRule::kaiming_uniform_in:
            return within(std::sqrt(6 / fan_in));
        case WeightRule::kaiming_uniform_out:
            return within(std::sqrt(6 / fan_out));
        case WeightRule::kaiming_normal_in:
            return deviating(std::sqrt(2 / fan_in));
        case WeightRule::kaiming_normal_out:
            return deviating(std::sqrt(2 / fan_out));
        case WeightRule::glorot_uniform:
            return within(std::sqrt(6 / (fan_in + fan_out)));
        case WeightRule::normal_hundredth:
            return deviating(0.01);
        default:
            return within(1 / std::sqrt(fan_in));
    }
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace detail

inline namespace TENON_ISA_NAMESPACE {

/// Draws all parameters of a network into an array (Parameters<Net> or one of another scalar) and resets its running
/// statistics. Each value is a function of the seed, the parameter's index and the element's index.
template <class Net, class Arena>
void initialize(Arena& arena, const Initialization& rules, std::uint64_t seed) {
    const auto& program = lowered<Net>;
    for (int i = 0; i < program.parameters.size(); ++i) {
        const detail::Parameter& tensor = program.parameters[i];
        const auto values = arena[i];
        using Scalar = typename decltype(arena[i])::value_type;
        const detail::Parameter& weight = program.parameters[program.layers[tensor.layer].first_parameter];
        const double outputs = weight.dimensions[0];
        const double fan_in = static_cast<double>(weight.elements()) / outputs;
        const double fan_out = outputs * weight.dimensions[2] * weight.dimensions[3];
        const bool zero = rules.zero_residuals && detail::ends_residual_body<Net>[tensor.layer];
        const auto fill = [&](double value) { std::fill(values.begin(), values.end(), static_cast<Scalar>(value)); };
        const auto draw = [&](WeightRule rule) {
            const std::uint64_t stream = detail::mix(static_cast<std::uint64_t>(i) + 1);
            for (std::size_t k = 0; k < values.size(); ++k)
                values[k] = static_cast<Scalar>(detail::draw_weight(rule, fan_in, fan_out, seed, stream, k));
        };
        switch (tensor.role) {
            case ParameterRole::weight:
                if (zero)
                    fill(0);
                else
                    draw(tensor.rank == 4 ? rules.convolutions : rules.linears);
                break;
            case ParameterRole::bias:
                if (zero || rules.biases == BiasRule::zero)
                    fill(0);
                else
                    draw(WeightRule::torch_default);
                break;
            case ParameterRole::gamma:
                fill(zero ? 0 : 1);
                break;
            case ParameterRole::running_variance:
                fill(1);
                break;
            default:
                fill(0);
        }
    }
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon
