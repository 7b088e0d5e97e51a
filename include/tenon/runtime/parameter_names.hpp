// The names of a network's parameters under a convention.
#pragma once

#include <string>
#include <vector>

#include <tenon/io/weight_names.hpp>
#include <tenon/models/naming.hpp>
#include <tenon/topology/network.hpp>

namespace tenon {
inline namespace TENON_ISA_NAMESPACE {

/// The rules of a convention; none for the canonical one.
inline std::span<const NameRule> name_rules(Naming naming) {
    if (naming == Naming::listing) return listing_names;
    if (naming == Naming::torchvision) return torchvision_names;
    return {};
}

/// The names of parameters in the order of the program: the layer's name and the role, `conv2.conv.1.conv3.weight`.
inline std::vector<std::string> parameter_names(std::span<const LayerInfo> layers,
                                                std::span<const Parameter> parameters, Naming naming) {
    std::vector<std::string> names;
    names.reserve(parameters.size());
    for (const Parameter& parameter : parameters) {
        const LayerInfo& layer = layers[static_cast<std::size_t>(parameter.layer)];
        names.push_back(layer_name(to_string(layer.path), name_rules(naming)) + "." +
                        std::string(role_name(parameter.role)));
    }
    return names;
}

/// The names of a network's parameters; by default those of the convention it declares.
template <class Net>
std::vector<std::string> parameter_names(Naming naming = naming_of<Net>) {
    const auto& program = lowered<Net>;
    return parameter_names(std::span(program.layers.begin(), program.layers.end()),
                           std::span(program.parameters.begin(), program.parameters.end()), naming);
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon
