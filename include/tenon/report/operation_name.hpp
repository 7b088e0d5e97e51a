// What an operation is called in reports: by the layers it computes.
#pragma once

#include <span>
#include <string>

#include <tenon/program/program.hpp>

namespace tenon {
inline namespace TENON_ISA_NAMESPACE {
namespace detail {

/// The canonical name of a layer's occurrence.
inline std::string layer_name(std::span<const LayerInfo> layers, int layer) {
    return to_string(layers[static_cast<std::size_t>(layer)].path);
}

/// The name of an operation's layer; that of its kind where it has none, as a load of the input:
/// `stack0.block1.body.conv2`, `load_input`.
inline std::string operation_name(const Op& op, std::span<const LayerInfo> layers) {
    return op.layer() >= 0 ? layer_name(layers, op.layer()) : std::string(op_name(op.kind));
}

}  // namespace detail
}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon
