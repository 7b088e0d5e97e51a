#pragma once
// IWYU pragma: private, include <tenon/report.hpp>

// From operations to the nodes of an ONNX graph (operator set 17), the same code for all networks.
//
// The field numbers are those of onnx.proto.

#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tenon/core/error.hpp>
#include <tenon/core/index.hpp>
#include <tenon/core/isa.hpp>
#include <tenon/io/protobuf.hpp>
#include <tenon/program/op_traits.hpp>
#include <tenon/program/program.hpp>
#include <tenon/report/onnx_nodes.hpp>
#include <tenon/report/operation_name.hpp>

namespace tenon::detail {
inline namespace TENON_ISA_NAMESPACE {

/// What an ONNX graph is made from: a lowered program, and a name and a pointer for each of its parameters.
struct OnnxSource {
    std::span<const Op> ops;
    std::span<const Shape> values;
    std::span<const LayerInfo> layers;
    std::span<const Parameter> parameters;
    int output = 0;
    std::span<const std::string> names;
    std::span<const float* const> tensors;
};

/// Builds the GraphProto of a program. Weights are borrowed: source and builder must outlive the message.
class OnnxGraphBuilder : protected OnnxNodes {
public:
    /// `batch` images at once; 0 leaves the number open.
    OnnxGraphBuilder(const OnnxSource& source, long batch)
        : OnnxNodes{batch}, source_{source}, value_names_(source.values.size()), is_read_(source.parameters.size()) {
        value_names_[0] = unique("input");
    }

    ProtobufMessage build(std::string_view name) {
        if (source_.output == 0) add_node("Identity", {value_names_[0]}, unique("output"), {});  // there is no layer
        for (const Op& op : source_.ops) add_op(op);
        return finish(name, source_.values[index(source_.output)]);
    }

protected:
    /// Completes the graph: its name, the parameters that its nodes read, its input and its result.
    ProtobufMessage finish(std::string_view name, Shape output) {
        graph().add_text(2, name);
        for (std::size_t i = 0; i < source_.parameters.size(); ++i)
            if (is_read_[i]) add_parameter(i);
        graph().add_message(11, value_info(value_names_[0], source_.values[0]));
        graph().add_message(12, value_info("output", output));
        return std::move(graph());
    }

    void add_parameter(std::size_t i) {
        const Parameter& parameter = source_.parameters[i];
        const std::vector<std::int64_t> shape(parameter.dimensions, parameter.dimensions + parameter.rank);
        ProtobufMessage message = tensor(parameter_name(static_cast<int>(i)), shape, element_float);
        message.add_borrowed(9, std::as_bytes(std::span(source_.tensors[i], detail::index(parameter.elements()))));
        graph().add_message(5, std::move(message));
    }

    const std::string& parameter_name(int parameter) {
        if (parameter_names_.empty())
            for (const std::string& name : source_.names) parameter_names_.push_back(unique(name));
        return parameter_names_[index(parameter)];
    }

    /// x and the names of a layer's parameters.
    std::vector<std::string> with_parameters(const std::string& x, int layer_index) {
        std::vector<std::string> inputs{x};
        const LayerInfo& layer = source_.layers[index(layer_index)];
        for (int i = layer.first_parameter; i < layer.first_parameter + layer.parameters; ++i) {
            inputs.push_back(parameter_name(i));
            is_read_[index(i)] = true;
        }
        return inputs;
    }

    static std::vector<OnnxAttribute> window_attributes(const Window& w, bool padded) {
        std::vector<OnnxAttribute> attributes{{"kernel_shape", {w.kernel_height, w.kernel_width}},
                                              {"strides", {w.stride_height, w.stride_width}}};
        if (padded) attributes.push_back({"pads", {w.top, w.left, w.bottom, w.right}});
        return attributes;
    }

    void add_pool(const Op& op, std::string x, const std::string& y, const std::string& path) {
        const Window& w = op.window();
        const bool is_padded = w.top > 0 || w.left > 0 || w.bottom > 0 || w.right > 0;
        const bool is_maximum = op.kind == OpKind::max_pool;
        // ONNX's MaxPool ignores padding, so zeros that take part must be added before.
        const bool zeros_take_part = is_padded && is_maximum && w.pad_value == PadValue::zero;
        if (zeros_take_part) x = pad(x, path + ".pad", {0, 0, w.top, w.left, 0, 0, w.bottom, w.right});
        std::vector<OnnxAttribute> attributes = window_attributes(w, !zeros_take_part);
        if (!is_maximum) attributes.push_back(OnnxAttribute::of("count_include_pad", w.pad_value == PadValue::zero));
        add_node(is_maximum ? "MaxPool" : "AveragePool", {x}, y, attributes);
    }

    void add_global_pool(const Op& op, const std::string& x, const std::string& y, const std::string& path) {
        const std::string map = unique(path + ".map");
        add_node(op.kind == OpKind::global_max_pool ? "GlobalMaxPool" : "GlobalAveragePool", {x}, map, {});
        add_node("Flatten", {map}, y, {OnnxAttribute::of("axis", 1)});
    }

    void add_norm(int layer_index, const std::string& x, const std::string& y, const std::string& path) {
        const LayerInfo& layer = source_.layers[index(layer_index)];
        std::vector<std::string> inputs = with_parameters(x, layer_index);
        if (parameter_of(layer, source_.parameters.data(), ParameterRole::gamma) < 0) {
            const auto channels = detail::index(layer.input.channels);
            const std::vector<std::int64_t> shape{layer.input.channels};
            inputs.insert(inputs.begin() + 1, {add_constant(path + ".one", shape, std::vector<float>(channels, 1)),
                                               add_constant(path + ".zero", shape, std::vector<float>(channels, 0))});
        }
        std::vector<ProtobufMessage> epsilon;
        epsilon.push_back(float_attribute("epsilon", static_cast<float>(layer.epsilon)));
        add_node("BatchNormalization", inputs, y, {}, std::move(epsilon));
    }

    void add_channel_padding(const Op& op, std::string x, const std::string& y, const std::string& path) {
        const Window& w = op.window();
        if (w.stride_height > 1 || w.stride_width > 1) {
            constexpr std::int64_t end = std::numeric_limits<std::int64_t>::max();
            const std::string begins = add_constant<std::int64_t>(path + ".begins", {2}, {0, 0}),
                              ends = add_constant<std::int64_t>(path + ".ends", {2}, {end, end}),
                              axes = add_constant<std::int64_t>(path + ".axes", {2}, {2, 3}),
                              steps =
                                  add_constant<std::int64_t>(path + ".steps", {2}, {w.stride_height, w.stride_width});
            const std::string slice = unique(path + ".slice");
            add_node("Slice", {x, begins, ends, axes, steps}, slice, {});
            x = slice;
        }
        const int more = source_.values[index(op.target)].channels - source_.values[index(op.source())].channels,
                  before = more / 2;
        const std::string sizes =
            add_constant<std::int64_t>(path + ".pads", {8}, {0, before, 0, 0, 0, more - before, 0, 0});
        add_node("Pad", {x, sizes}, y, {});
    }

    void add_op(const Op& op) {
        const std::string path = operation_name(op, source_.layers);
        const bool is_result = op.target == source_.output;
        const std::string y = value_names_[index(op.target)] = unique(is_result ? "output" : path);
        add_nodes(op, value_names_[index(op.source())], y, path);
        if (!is_result) graph().add_message(13, value_info(y, source_.values[index(op.target)]));
    }

    /// The nodes of an operation's kind, from x to y.
    void add_nodes(const Op& op, const std::string& x, const std::string& y, const std::string& path) {
        const auto plain = [&](std::string_view type) { add_node(type, {x}, y, {}); };
        switch (op.kind) {
            case OpKind::conv: {
                std::vector<OnnxAttribute> attributes = window_attributes(op.window(), true);
                attributes.push_back(OnnxAttribute::of("group", op.terms[0].groups));
                add_node("Conv", with_parameters(x, op.layer()), y, attributes);
                break;
            }
            case OpKind::linear:
                add_node("Gemm", with_parameters(x, op.layer()), y, {OnnxAttribute::of("transB", 1)});
                break;
            case OpKind::batch_norm:
                add_norm(op.layer(), x, y, path);
                break;
            case OpKind::max_pool:
            case OpKind::average_pool:
                add_pool(op, x, y, path);
                break;
            case OpKind::global_average_pool:
            case OpKind::global_max_pool:
                add_global_pool(op, x, y, path);
                break;
            case OpKind::add:
                add_node("Add", {x, value_names_[index(op.residual)]}, y, {});
                break;
            case OpKind::multiply:
                add_node("Mul", {x, value_names_[index(op.second_factor())]}, y, {});
                break;
            case OpKind::scale: {
                const auto factor = static_cast<float>(source_.layers[index(op.layer())].rate);
                add_node("Mul", {x, add_constant<float>(path + ".factor", {}, {factor})}, y, {});
                break;
            }
            case OpKind::pad_channels:
                add_channel_padding(op, x, y, path);
                break;
            case OpKind::relu:
                plain("Relu");
                break;
            case OpKind::softmax:
                plain("Softmax");
                break;
            case OpKind::flatten:
                add_node("Flatten", {x}, y, {OnnxAttribute::of("axis", 1)});
                break;
            case OpKind::dropout:  // does nothing in inference
                plain("Identity");
                break;
            default: {  // a function of each element
                const std::string_view onnx = detail::traits_of(op.kind).onnx;
                if (onnx.empty()) throw Error("layer " + path + ": a function of your own has no operator in ONNX");
                plain(onnx);
            }
        }
    }

    OnnxSource source_;
    std::vector<std::string> value_names_, parameter_names_;
    std::vector<bool> is_read_;  ///< the parameters that become initializers
};

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::detail
