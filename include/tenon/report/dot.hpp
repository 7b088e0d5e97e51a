#pragma once
// IWYU pragma: private, include <tenon/report.hpp>

// dot: a network's program as a Graphviz graph.

#include <set>
#include <span>
#include <string>
#include <vector>

#include <tenon/core/index.hpp>
#include <tenon/report/operation_name.hpp>
#include <tenon/report/summary.hpp>
#include <tenon/topology/facts.hpp>

namespace tenon {

namespace reports {

/// Options of to_dot.
struct GraphOptions {
    bool expanded = false;  ///< whether blocks show their operations; else each block is one box
};

}  // namespace reports

namespace detail {
inline namespace TENON_ISA_NAMESPACE {

/// A program as a graph: boxes within the scopes that they are in.
struct GraphSource {
    std::span<const Op> ops;
    std::span<const Shape> values;
    std::span<const LayerInfo> layers;
    std::span<const Parameter> parameters;
    int output = 0;
};

template <class Once = void>
class GraphWriter {
public:
    GraphWriter(const GraphSource& source, const reports::GraphOptions& options)
        : source_{source}, options_{options}, producers_(source.values.size(), -1), boxes_(source.ops.size()) {
        for (std::size_t i = 0; i < source_.ops.size(); ++i) {
            const Op& op = source_.ops[i];
            for (const int value : {op.target, op.activated})
                if (value >= 0) producers_[index(value)] = static_cast<int>(i);
            boxes_[i] = box_of(i);
        }
    }

    std::string write() {
        text_ =
            "digraph network {\n  graph [fontname=\"sans-serif\", style=\"rounded\", color=\"#9aa7b4\", "
            "labeljust=l];\n"
            "  node [shape=box, fontname=\"sans-serif\", style=\"filled,rounded\", fillcolor=white];\n"
            "  edge [fontname=\"sans-serif\", fontsize=10];\n  input [shape=oval];\n";
        write_boxes();
        for (std::size_t i = 0; i < source_.ops.size(); ++i) {
            const Op& op = source_.ops[i];
            for (const ConvTerm& term : op.terms)
                if (term.source >= 0) arrow(term.source, i, "");
            if (op.residual >= 0) arrow(op.residual, i, ", style=dashed");
        }
        text_ += "  output [shape=oval];\n  " + writer(source_.output) + " -> output [label=\"" +
                 to_string(source_.values[index(source_.output)]) + "\"];\n}\n";
        return text_;
    }

private:
    /// The name of an operation's box: its own, or that of the outermost block that it is in.
    std::string box_of(std::size_t op) const {
        const int block = options_.expanded ? 0 : block_depth(op);
        return block > 0 ? "\"" + scope_name_of(op, block) + "\"" : "op" + std::to_string(op);
    }
    const Path* path_of(std::size_t op) const {
        const int layer = source_.ops[op].layer();
        return layer < 0 ? nullptr : &source_.layers[index(layer)].path;
    }
    int depth_of(std::size_t op) const { return path_of(op) ? path_of(op)->depth : 0; }
    /// How many scopes there are up to the outermost block, with it; 0: the operation is in no block.
    int block_depth(std::size_t op) const {
        for (int depth = 0; depth < depth_of(op); ++depth)
            if (path_of(op)->scopes[depth].kind == ScopeKind::block) return depth + 1;
        return 0;
    }
    /// The first `depth` scopes of a path: `stack0.block1`.
    std::string scope_name_of(std::size_t op, int depth) const {
        std::string name = to_string(*path_of(op));
        std::size_t end = 0;
        for (int i = 0; i < depth; ++i) end = name.find('.', end + (i > 0 ? 1 : 0));
        return name.substr(0, end);
    }

    void write_boxes() {
        std::vector<std::string> open;
        const auto close_to = [&](std::size_t depth) {
            for (; open.size() > depth; open.pop_back()) text_ += std::string(2 * open.size(), ' ') + "}\n";
        };
        for (std::size_t i = 0; i < source_.ops.size(); ++i) {
            const int block = options_.expanded ? 0 : block_depth(i);
            if (block > 0 && i > 0 && boxes_[i] == boxes_[i - 1]) continue;
            const int depth = block > 0 ? block - 1 : depth_of(i);
            std::size_t common = 0;
            while (common < open.size() && common < index(depth) &&
                   open[common] == scope_name_of(i, static_cast<int>(common) + 1))
                ++common;
            close_to(common);
            for (int d = static_cast<int>(common); d < depth; ++d) {
                open.push_back(scope_name_of(i, d + 1));
                // A scope that is entered a second time is a cluster of its own.
                text_ += std::string(2 * open.size(), ' ') + "subgraph \"cluster_" + open.back() + "_" +
                         std::to_string(i) + "\" { label=\"" + open.back() + "\";\n";
            }
            text_ += std::string(2 * open.size() + 2, ' ') + boxes_[i] + " [label=\"" +
                     (block > 0 ? block_label(i) : label(source_.ops[i])) + "\"" +
                     (block > 0 ? ", fillcolor=\"#dbe9f6\"" : "") + "];\n";
        }
        close_to(0);
    }

    std::string label(const Op& op) const {
        std::string text = operation_name(op, source_.layers);
        if (const ConvTerm* second = op.second_convolution())
            text += "\\n+ " + layer_name(source_.layers, second->layer);
        for (const ConvTerm& term : op.terms)
            if (term.norm >= 0) text += "\\n" + layer_name(source_.layers, term.norm);
        if (op.relu) text += "\\nReLU";
        if (op.activated >= 0) {
            text += "\\nsecond result:";
            if (op.activated_norm >= 0) text += " " + layer_name(source_.layers, op.activated_norm);
            if (op.activated_relu) text += " ReLU";
        }
        return text;
    }

    /// `stack0.block1`, the kernels of its convolutions on one line, its operations and multiply-adds on another.
    std::string block_label(std::size_t first) const {
        std::string kernels;
        long multiply_adds = 0, operations = 0;
        for (std::size_t i = first; i < source_.ops.size() && boxes_[i] == boxes_[first]; ++i, ++operations) {
            const Op& op = source_.ops[i];
            multiply_adds += multiply_adds_of(source_.layers, source_.parameters, op);
            if (op.kind != OpKind::conv) continue;
            for (const ConvTerm& term : op.terms) {
                if (term.layer < 0) continue;
                kernels += (kernels.empty() ? "" : ", ") + std::to_string(term.window.kernel_height) + " x " +
                           std::to_string(term.window.kernel_width);
            }
        }
        return boxes_[first].substr(1, boxes_[first].size() - 2) +
               (kernels.empty() ? "" : "\\nconvolutions " + kernels) + "\\n" + std::to_string(operations) +
               (operations == 1 ? " operation, " : " operations, ") + with_commas(multiply_adds) + " multiply-adds";
    }

    std::string writer(int value) const {
        const int op = producers_[index(value)];
        return op < 0 ? std::string("input") : boxes_[index(op)];
    }
    void arrow(int value, std::size_t op, const std::string& style) {
        const std::string from = writer(value), &to = boxes_[op];
        if (from == to) return;
        if (!options_.expanded && !arrows_.insert({value, to}).second) return;  // two operations of a block read it
        text_ += "  " + from + " -> " + to + " [label=\"" + to_string(source_.values[index(value)]) + "\"" +
                 (options_.expanded ? style : "") + "];\n";
    }

    GraphSource source_;
    reports::GraphOptions options_;
    std::vector<int> producers_;      // of each value
    std::vector<std::string> boxes_;  // of each operation
    std::set<std::pair<int, std::string>> arrows_;
    std::string text_;
};

}  // namespace TENON_ISA_NAMESPACE
}  // namespace detail

inline namespace TENON_ISA_NAMESPACE {

/// The graph of a program in Graphviz' language: boxes in the scopes that they are in, values as arrows with their
/// shapes. A block is one box unless the options expand it; then each operation has one, and what passes fused is in
/// one box. Render it with `dot -Tsvg`. Works for lowered and for optimized programs.
template <detail::Capacity C>
std::string to_dot(const detail::Program<C>& program, const reports::GraphOptions& options = {}) {
    return detail::GraphWriter<>({{program.ops.begin(), program.ops.end()},
                                  {program.values.begin(), program.values.end()},
                                  {program.layers.begin(), program.layers.end()},
                                  {program.parameters.begin(), program.parameters.end()},
                                  program.output},
                                 options)
        .write();
}

/// The graph of a network as its layers lower it.
template <class Net>
std::string to_dot(const reports::GraphOptions& options = {}) {
    return to_dot(lowered<Net>, options);
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon
