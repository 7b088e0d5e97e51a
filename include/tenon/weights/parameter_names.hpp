#pragma once
// IWYU pragma: private, include <tenon/inference.hpp>

// The names of a network's parameters under a convention.

#include <span>
#include <string>
#include <vector>

#include <tenon/core/cold.hpp>
#include <tenon/core/index.hpp>
#include <tenon/core/sentence.hpp>
#include <tenon/models/naming.hpp>
#include <tenon/topology/network.hpp>
#include <tenon/weights/layer_namer.hpp>
#include <tenon/weights/names/keras.hpp>
#include <tenon/weights/names/mxnet.hpp>
#include <tenon/weights/names/torch.hpp>

namespace tenon::detail {

/// The table of a convention.
constexpr NamingConvention convention_of(Naming naming) {
    using enum WeightLayout;
    switch (naming) {
        case Naming::listing:
            return {.rules = listing_names};
        case Naming::torchvision:
            return {.rules = torchvision_names};
        case Naming::timm:
            return {.rules = timm_names, .layout = torch_pointwise_classifier};
        case Naming::cifar:
            return {.rules = cifar_names};
        case Naming::wide:
            return {.rules = wide_names};
        case Naming::keras:
            return {.rules = keras_names, .roles = keras_roles, .separator = "/", .layout = keras};
        case Naming::keras_v2:
            return {.rules = keras_v2_names, .roles = keras_roles, .separator = "/", .layout = keras};
        case Naming::keras_order:
            return {.rules = keras_order_names,
                    .roles = keras_roles,
                    .separator = "/",
                    .layout = keras,
                    .counted_from_anywhere = true};
        case Naming::mxnet:
            return {.rules = mxnet_names,
                    .roles = mxnet_roles,
                    .separator = "_",
                    .norms_without_affine_have_one = true,
                    .counted_prefix = mxnet_prefix,
                    .counted_as = "4"};
        case Naming::canonical:
            break;
    }
    return {};
}

/// Whether a layer is in the same residual block as another layer, which is in the block's shortcut.
constexpr bool in_block_of_shortcut(const Path& layer, const Path& shortcut) {
    for (int i = 0; i < shortcut.depth && shortcut.scopes[i].kind != ScopeKind::shortcut; ++i)
        if (i >= layer.depth || layer.scopes[i] != shortcut.scopes[i]) return false;
    return true;
}

inline namespace TENON_ISA_NAMESPACE {

/// The layers with parameters in the order in which libraries make them: a block's body before its shortcut; in
/// programs the shortcut comes first.
template <class Once = void>
TENON_COLD std::vector<int> layers_as_made(std::span<const LayerInfo> layers) {
    std::vector<int> order, shortcut;
    const auto finish_block = [&] {
        for (const int layer : shortcut) order.push_back(layer);
        shortcut.clear();
    };
    const auto path_of = [&](int layer) -> const Path& { return layers[index(layer)].path; };
    for (int i = 0; i < static_cast<int>(layers.size()); ++i) {
        if (layers[index(i)].parameters == 0) continue;
        if (!shortcut.empty() && !in_block_of_shortcut(path_of(i), path_of(shortcut.front()))) finish_block();
        bool in_shortcut = false;
        for (int k = 0; k < path_of(i).depth; ++k)
            in_shortcut = in_shortcut || path_of(i).scopes[k].kind == ScopeKind::shortcut;
        (in_shortcut ? shortcut : order).push_back(i);
    }
    finish_block();
    return order;
}

/// The names of layers in the order of the program; empty for those without parameters.
template <class Once = void>
TENON_COLD std::vector<std::string> layer_names(std::span<const LayerInfo> layers, const NamingConvention& convention) {
    std::vector<std::string> names(layers.size());
    LayerNamer name{convention.rules};
    for (const int layer : layers_as_made(layers)) {
        const auto i = index(layer);
        names[i] = name(to_string(layers[i].path));
    }
    return names;
}

/// The name of a role's tensor of a layer.
template <class Once = void>
TENON_COLD std::string tensor_name(const std::string& layer, ParameterRole role, const NamingConvention& convention) {
    return joined({layer, convention.separator, convention.roles.words[static_cast<int>(role)]});
}

/// The names of parameters in the order of the program: the layer's name and the role, `conv2.conv.1.conv3.weight`.
template <class Once = void>
std::vector<std::string> parameter_names(std::span<const LayerInfo> layers, std::span<const Parameter> parameters,
                                         Naming naming) {
    const NamingConvention convention = convention_of(naming);
    const std::vector<std::string> layer = layer_names(layers, convention);
    std::vector<std::string> names;
    names.reserve(parameters.size());
    for (const Parameter& parameter : parameters)
        names.push_back(tensor_name(layer[index(parameter.layer)], parameter.role, convention));
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
}  // namespace tenon::detail
