#pragma once
// IWYU pragma: private, include <tenon/report.hpp>

// The blocks and layers of a network with what they cost, as rows.

#include <span>
#include <string>
#include <vector>

#include <tenon/core/index.hpp>
#include <tenon/report/operation_name.hpp>
#include <tenon/topology/facts.hpp>

namespace tenon {

namespace reports {

/// A layer, or a scope with the sums of what is in it. Parameters that layers share do not exist: each layer has its
/// own, so sums count nothing twice.
struct LayerRow {
    std::string name;        ///< `stack0.block1.body.conv2`
    std::string kind;        ///< `conv`, `batch_norm`, ...; `scope` for a block, stack, body, ...
    int depth = 0;           ///< scopes around it
    Shape output;            ///< of the layer, or of the last one in the scope
    long parameters = 0;     ///< that training changes
    long frozen = 0;         ///< parameters of frozen layers
    long statistics = 0;     ///< running means and variances
    long multiply_adds = 0;  ///< per image, of convolutions and linear layers
    long output_bytes = 0;   ///< of one image as floats: of the layer's output, or of all outputs in the scope

    bool is_scope() const { return kind == "scope"; }
    /// Bytes of parameters and statistics as floats, as a weights file has them.
    long parameter_bytes() const { return (parameters + frozen + statistics) * long{sizeof(float)}; }

    void add(const LayerRow& other) {
        parameters += other.parameters;
        frozen += other.frozen;
        statistics += other.statistics;
        multiply_adds += other.multiply_adds;
        output_bytes += other.output_bytes;
    }
};

}  // namespace reports

namespace detail {
inline namespace TENON_ISA_NAMESPACE {

/// The row of an operation on its own.
inline reports::LayerRow layer_row(const Op& op, std::span<const LayerInfo> layers,
                                   std::span<const Parameter> parameters) {
    const LayerInfo& layer = layers[index(op.layer())];
    reports::LayerRow row;
    row.name = operation_name(op, layers);
    row.kind = op_name(op.kind);
    row.depth = layer.path.depth;
    row.output = layer.output;
    for (int i = layer.first_parameter; i < layer.first_parameter + layer.parameters; ++i) {
        const Parameter& parameter = parameters[index(i)];
        (!is_trainable(parameter.role) ? row.statistics
         : layer.frozen                ? row.frozen
                                       : row.parameters) += parameter.elements();
    }
    row.multiply_adds = multiply_adds_of(layers, parameters, op);
    row.output_bytes = layer.output.elements() * long{sizeof(float)};
    return row;
}

/// All rows of a program as its layers lower it. Where a scope is left and entered again, it has two rows.
inline std::vector<reports::LayerRow> layer_rows(std::span<const Op> ops, std::span<const LayerInfo> layers,
                                                 std::span<const Parameter> parameters) {
    std::vector<reports::LayerRow> rows;
    std::vector<std::size_t> open;  // the rows of the scopes around the operation
    Path last{};
    for (const Op& op : ops) {
        const Path& path = layers[index(op.layer())].path;
        std::size_t common = 0;
        while (common < open.size() && common < index(path.depth) && path.scopes[common] == last.scopes[common])
            ++common;
        open.resize(common);
        reports::LayerRow row = layer_row(op, layers, parameters);
        for (std::size_t depth = common; depth < index(path.depth); ++depth) {
            std::size_t end = 0;
            for (std::size_t dots = 0; dots <= depth; ++dots) end = row.name.find('.', end + (dots > 0 ? 1 : 0));
            reports::LayerRow scope;
            scope.name = row.name.substr(0, end);
            scope.kind = "scope";
            scope.depth = static_cast<int>(depth);
            open.push_back(rows.size());
            rows.push_back(scope);
        }
        for (const std::size_t scope : open) {
            rows[scope].add(row);
            rows[scope].output = row.output;
        }
        rows.push_back(row);
        last = path;
    }
    return rows;
}

/// The sums over all layers.
inline reports::LayerRow total_of(std::span<const reports::LayerRow> rows) {
    reports::LayerRow total;
    for (const reports::LayerRow& row : rows)
        if (!row.is_scope()) total.add(row);
    return total;
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace detail

}  // namespace tenon
