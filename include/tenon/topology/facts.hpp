// Facts about a network as constants: shapes, parameters, multiply-adds.
#pragma once

#include <span>

#include <tenon/topology/network.hpp>

namespace tenon {

/// The shape of one sample that goes into a network.
template <class Net>
inline constexpr Shape input_shape = lowered<Net>.values[0];

/// The shape of one sample's result.
template <class Net>
inline constexpr Shape output_shape = lowered<Net>.values[lowered<Net>.output];

/// Scalars that training changes; torch's sum of p.numel() over parameters().
template <class Net>
inline constexpr long parameter_count = [] {
    long count = 0;
    for (const Parameter& parameter : lowered<Net>.parameters)
        if (is_trainable(parameter.role)) count += parameter.elements();
    return count;
}();

/// Scalars that a weights file holds: parameters and running statistics.
template <class Net>
inline constexpr long state_count = [] {
    long count = 0;
    for (const Parameter& parameter : lowered<Net>.parameters) count += parameter.elements();
    return count;
}();

/// Multiply-adds of an operation on one sample, of a program with these layers and parameters; convolutions and linear
/// layers count, everything else is free.
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

/// Multiply-adds of one sample's way through a network.
template <class Net>
inline constexpr long multiply_adds = [] {
    long sum = 0;
    for (const Op& op : lowered<Net>.ops) sum += multiply_adds_of(lowered<Net>, op);
    return sum;
}();

}  // namespace tenon
