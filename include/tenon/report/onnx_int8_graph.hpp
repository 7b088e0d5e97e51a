#pragma once
// IWYU pragma: private, include <tenon/report.hpp>

// From the operations of a network in 8-bit integers to an ONNX graph with QuantizeLinear and DequantizeLinear: what
// the model computes, in a form from which other runtimes take their own kernels of integers.
//
//     x -> QuantizeLinear -> DequantizeLinear -> Conv (weights: int8 -> DequantizeLinear) -> Relu -> ...

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tenon/core/index.hpp>
#include <tenon/core/isa.hpp>
#include <tenon/engine/cpu_int8_codes.hpp>
#include <tenon/program/op_traits.hpp>
#include <tenon/program/program.hpp>
#include <tenon/report/onnx_graph.hpp>
#include <tenon/report/operation_name.hpp>

namespace tenon::detail {
inline namespace TENON_ISA_NAMESPACE {

/// Builds the GraphProto of the optimized program of a network in integers.
///
/// Norms are folded into the products before them, as in the model, whose rounded weights the file has. A value that
/// the model stores as bytes is quantized with the same scale and zero point; what is read as 16 bits stays in floats,
/// and so do the products that read it.
class OnnxInt8GraphBuilder : OnnxGraphBuilder {
public:
    /// `source` has the optimized program; `output` is the shape of the network's result, where a map may be flat.
    OnnxInt8GraphBuilder(const OnnxSource& source, const cpu::IntegerForm& form, Shape output, long batch)
        : OnnxGraphBuilder{source, batch},
          form_{form},
          output_{output},
          is_flattened_{output.is_flat() && !source.values[index(source.output)].is_flat()},
          dequantized_(source.values.size()) {}

    ProtobufMessage build(std::string_view name) {
        quantize(0, value_names_[0]);
        if (source_.output == 0 && !is_flattened_)  // there is no layer
            add_node("Identity", {value_names_[0]}, unique("output"), {});
        for (std::size_t i = 0; i < source_.ops.size(); ++i) add_op(i);
        if (is_flattened_) flatten(value_names_[index(source_.output)], unique("output"));
        return finish(name, output_);
    }

private:
    void flatten(const std::string& x, const std::string& y) {
        add_node("Flatten", {x}, y, {OnnxAttribute::of("axis", 1)});
    }

    /// The name of what becomes a value, unless it is the result, which has a name of its own.
    std::string name_for(int value, const std::string& name) {
        return unique(value >= 0 && value == source_.output && !is_flattened_ ? "output" : name);
    }

    void add_op(std::size_t i) {
        const Op& op = source_.ops[i];
        const std::string path = operation_name(op, source_.layers);
        const bool is_product = traits_of(op.kind).is_product, adds = is_product && op.residual >= 0;
        std::string y = name_for(adds || op.relu ? -1 : op.target, path);
        if (is_product)
            add_product(i, y, path);
        else
            add_nodes(op, value_names_[index(op.source())], y, path);
        if (adds) {
            const std::string sum = name_for(op.relu ? -1 : op.target, path + ".sum");
            add_node("Add", {y, residual(op, path)}, sum, {});
            y = sum;
        }
        if (op.relu) y = add_relu(y, op.target, path + ".relu");
        if (op.target >= 0) store(op.target, y);
        if (op.activated < 0) return;
        if (op.activated_norm >= 0) {
            const std::string norm = layer_name(source_.layers, op.activated_norm);
            const std::string normalized = name_for(op.activated_relu ? -1 : op.activated, norm);
            add_norm(op.activated_norm, y, normalized, norm);
            y = normalized;
        }
        if (op.activated_relu) y = add_relu(y, op.activated, path + ".activated");
        store(op.activated, y);
    }

    std::string add_relu(const std::string& x, int value, const std::string& name) {
        std::string y = name_for(value, name);
        add_node("Relu", {x}, y, {});
        return y;
    }

    /// Notes the name of a value, and quantizes it if products read it as bytes.
    void store(int value, const std::string& name) {
        value_names_[index(value)] = name;
        if (name != "output") graph().add_message(13, value_info(name, source_.values[index(value)]));
        quantize(value, name);
    }

    /// Adds what the model makes of a value's floats where products read it as bytes.
    void quantize(int value, const std::string& name) {
        const cpu::StoredValue& stored = form_.values[index(value)];
        if (stored.byte_scale == 0) return;
        const std::string step = add_constant<float>(name + ".scale", {}, {static_cast<float>(stored.byte_scale)}),
                          zero = add_constant<std::uint8_t>(name + ".zero_point", {},
                                                            {static_cast<std::uint8_t>(stored.zero)}),
                          codes = unique(name + ".quantized"), y = unique(name + ".dequantized");
        add_node("QuantizeLinear", {name, step, zero}, codes, {});
        add_node("DequantizeLinear", {codes, step, zero}, y, {});
        dequantized_[index(value)] = y;
    }

    /// What is added to a product's sums: the codes' meaning where the model stores no floats.
    std::string residual(const Op& op, const std::string& path) {
        const std::size_t value = index(op.residual);
        const bool in_codes = !form_.values[value].has_floats && !dequantized_[value].empty();
        const std::string& x = in_codes ? dequantized_[value] : value_names_[value];
        if (op.residual_stride == 1) return x;
        Window window{};
        window.stride_height = window.stride_width = op.residual_stride;
        std::string y = unique(path + ".subsampled");
        add_node("MaxPool", {x}, y, window_attributes(window, false));
        return y;
    }

    void add_product(std::size_t i, const std::string& y, const std::string& path) {
        const Op& op = source_.ops[i];
        const cpu::IntegerProduct& product = form_.products[i];
        const std::size_t value = index(op.source());
        std::string x = product.reads_bytes ? dequantized_[value] : value_names_[value];
        const bool is_linear = op.kind == OpKind::linear;
        if (is_linear && !source_.values[value].is_flat()) {
            const std::string vector = unique(path + ".vector");
            flatten(x, vector);
            x = vector;
        }
        const int weight =
            parameter_of(source_.layers[index(op.layer())], source_.parameters.data(), ParameterRole::weight);
        const Parameter& info = source_.parameters[index(weight)];
        const std::int64_t outputs = info.dimensions[0];
        const cpu::WeightFolder folder{source_.layers, source_.parameters, source_.tensors};
        const cpu::FoldedWeights folded =
            folder.fold(op, product, info.dimensions[0], info.elements() / info.dimensions[0]);
        const std::vector<std::string> inputs{x, add_weights(weight, folded),
                                              add_constant<float>(path + ".shift", {outputs}, folded.shifts)};
        if (is_linear) return add_node("Gemm", inputs, y, {OnnxAttribute::of("transB", 1)});
        std::vector<OnnxAttribute> attributes = window_attributes(op.window(), true);
        attributes.push_back(OnnxAttribute::of("group", op.terms[0].groups));
        add_node("Conv", inputs, y, attributes);
    }

    /// A product's weights under the name of their parameter: floats, or what DequantizeLinear makes of codes.
    std::string add_weights(int parameter, const cpu::FoldedWeights& folded) {
        const Parameter& info = source_.parameters[index(parameter)];
        const std::vector<std::int64_t> shape(info.dimensions, info.dimensions + info.rank);
        std::string name = parameter_name(parameter);
        if (folded.codes.empty()) {
            ProtobufMessage message = tensor(name, shape, element_float);
            const auto bytes = std::as_bytes(std::span(folded.values));
            message.add_text(9, {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
            graph().add_message(5, std::move(message));
            return name;
        }
        const std::size_t outputs = folded.scales.size();
        const std::vector<std::string> inputs{
            add_constant(name + ".quantized", shape, folded.codes),
            add_constant(name + ".scale", {shape[0]}, folded.scales),
            add_constant(name + ".zero_point", {shape[0]}, std::vector<std::int8_t>(outputs, 0))};
        add_node("DequantizeLinear", inputs, name, {OnnxAttribute::of("axis", 0)});
        return name;
    }

    const cpu::IntegerForm& form_;
    Shape output_;
    bool is_flattened_;
    std::vector<std::string> dequantized_;  ///< of values that are stored as bytes
};

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::detail
