#pragma once
// IWYU pragma: private, include <tenon/report.hpp>

// What an operation is called in reports: the names of the layers it computes.

#include <span>
#include <string>

#include <tenon/core/index.hpp>
#include <tenon/program/program.hpp>

namespace tenon::detail {
inline namespace TENON_ISA_NAMESPACE {

/// The canonical name of an occurrence of a layer.
inline std::string layer_name(std::span<const LayerInfo> layers, int layer) {
    return to_string(layers[index(layer)].path);
}

/// The name of an operation's layer; where it has none, as a load of the input, the name of its kind:
/// `stack0.block1.body.conv2`, `load_input`.
inline std::string operation_name(const Op& op, std::span<const LayerInfo> layers) {
    return op.layer() >= 0 ? layer_name(layers, op.layer()) : std::string(op_name(op.kind));
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::detail
