#pragma once
// IWYU pragma: private, include <tenon/network.hpp>

// Facts about a network as constants: shapes, parameters, multiply-adds.

#include <span>

#include <tenon/topology/network.hpp>

namespace tenon {

/// The shape of one sample that a network reads, without the batch.
template <class Net>
inline constexpr Shape input_shape = lowered<Net>.values[0];

/// The shape of a network's result for one sample.
template <class Net>
inline constexpr Shape output_shape = lowered<Net>.values[lowered<Net>.output];

/// The number of scalars that training changes. Equals torch's sum(p.numel() for p in net.parameters()).
template <class Net>
inline constexpr long parameter_count = [] {
    long count = 0;
    for (const detail::Parameter& parameter : lowered<Net>.parameters)
        if (detail::is_trainable(parameter.role)) count += parameter.elements();
    return count;
}();

/// The number of scalars that a weights file holds: parameters and running statistics.
template <class Net>
inline constexpr long state_count = [] {
    long count = 0;
    for (const detail::Parameter& parameter : lowered<Net>.parameters) count += parameter.elements();
    return count;
}();

namespace detail {

/// Multiply-adds of an operation on one sample, of a program with these layers and parameters; convolutions and linear
/// layers count, everything else counts as 0.
constexpr long multiply_adds_of(std::span<const LayerInfo> layers, std::span<const Parameter> parameters,
                                const Op& op) {
    if (op.kind != OpKind::conv && op.kind != OpKind::linear) return 0;
    long sum = 0;
    for (const ConvTerm& term : op.terms) {
        if (term.layer < 0) continue;
        const LayerInfo& layer = layers[static_cast<std::size_t>(term.layer)];
        sum += layer.output.pixels() * parameters[static_cast<std::size_t>(layer.first_parameter)].elements();
    }
    return sum;
}
template <Capacity C>
constexpr long multiply_adds_of(const Program<C>& program, const Op& op) {
    return multiply_adds_of({program.layers.begin(), program.layers.end()},
                            {program.parameters.begin(), program.parameters.end()}, op);
}

}  // namespace detail

/// Multiply-adds of a network on one sample, in convolutions and linear layers; everything else is not counted.
template <class Net>
inline constexpr long multiply_adds = [] {
    long sum = 0;
    for (const detail::Op& op : lowered<Net>.ops) sum += multiply_adds_of(lowered<Net>, op);
    return sum;
}();

}  // namespace tenon
