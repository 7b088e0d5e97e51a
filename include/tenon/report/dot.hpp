#pragma once
// IWYU pragma: private, include <tenon/report.hpp>

// dot: a network's program as a Graphviz graph.

#include <span>
#include <string>

#include <tenon/report/operation_name.hpp>
#include <tenon/topology/facts.hpp>

namespace tenon {
inline namespace TENON_ISA_NAMESPACE {

/// The graph of a program in Graphviz' language: operations as boxes, values as arrows with their shapes. Render it
/// with `dot -Tsvg`. Works for lowered and for optimized programs: what passes fused is in one box.
template <detail::Capacity C>
std::string to_dot(const detail::Program<C>& program) {
    std::string text = "digraph network {\n  node [shape=box, fontname=\"sans-serif\"];\n  input [shape=oval];\n";
    const std::span<const detail::LayerInfo> layers{program.layers.begin(), program.layers.end()};
    const auto writer = [&](int value) {
        const int op = program.producer(value);
        return op < 0 ? std::string("input") : "op" + std::to_string(op);
    };
    const auto arrow = [&](int value, int op, const char* style) {
        text += "  " + writer(value) + " -> op" + std::to_string(op) + " [label=\"" + to_string(program.values[value]) +
                "\"" + style + "];\n";
    };
    for (int i = 0; i < program.ops.size(); ++i) {
        const detail::Op& op = program.ops[i];
        std::string label = detail::operation_name(op, layers);
        if (const detail::ConvTerm* second = op.second_convolution())
            label += "\\n+ " + detail::layer_name(layers, second->layer);
        for (const detail::ConvTerm& term : op.terms)
            if (term.norm >= 0) label += "\\n" + detail::layer_name(layers, term.norm);
        if (op.relu) label += "\\nReLU";
        if (op.activated >= 0) {
            label += "\\nsecond result:";
            if (op.activated_norm >= 0) label += " " + detail::layer_name(layers, op.activated_norm);
            if (op.activated_relu) label += " ReLU";
        }
        text += "  op" + std::to_string(i) + " [label=\"" + label + "\"];\n";
        for (const detail::ConvTerm& term : op.terms)
            if (term.source >= 0) arrow(term.source, i, "");
        if (op.residual >= 0) arrow(op.residual, i, ", style=dashed");
    }
    text += "  output [shape=oval];\n  " + writer(program.output) + " -> output [label=\"" +
            to_string(program.values[program.output]) + "\"];\n}\n";
    return text;
}

/// The graph of a network as its layers lower it.
template <class Net>
std::string to_dot() {
    return to_dot(lowered<Net>);
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon
