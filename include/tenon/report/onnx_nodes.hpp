#pragma once
// IWYU pragma: private, include <tenon/report.hpp>

// The parts of an ONNX graph: values, nodes with attributes, constants.
//
// The field numbers are those of onnx.proto.

#include <cstddef>
#include <cstdint>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include <tenon/core/isa.hpp>
#include <tenon/core/shape.hpp>
#include <tenon/io/protobuf.hpp>

namespace tenon::detail {
inline namespace TENON_ISA_NAMESPACE {

/// One or several whole numbers, as an attribute of a node.
struct OnnxAttribute {
    std::string_view name;
    std::vector<std::int64_t> integers;
    bool is_list = true;
    static OnnxAttribute of(std::string_view name, std::int64_t value) { return {name, {value}, false}; }
};

/// Writes the nodes of a graph and gives names to its values.
class OnnxNodes {
public:
    static constexpr int element_float = 1, element_u8 = 2, element_s8 = 3, element_integer = 7;

    /// The number of an element's type.
    template <class T>
    static constexpr int element_of() {
        if constexpr (std::is_same_v<T, float>)
            return element_float;
        else if constexpr (std::is_same_v<T, std::uint8_t>)
            return element_u8;
        else if constexpr (std::is_same_v<T, std::int8_t>)
            return element_s8;
        else
            return element_integer;
    }

    /// `batch` images at once; 0 leaves the number open.
    explicit OnnxNodes(long batch) : batch_{batch} {}

    /// The GraphProto.
    ProtobufMessage& graph() { return graph_; }

    /// The name, with a number after it if another value has it already.
    std::string unique(const std::string& name) {
        std::string result = name;
        for (int i = 1; !used_.insert(result).second; ++i) result = name + "_" + std::to_string(i);
        return result;
    }

    std::vector<std::int64_t> dimensions(Shape shape) const {
        if (shape.is_flat()) return {batch_, shape.channels};
        return {batch_, shape.channels, shape.height, shape.width};
    }

    ProtobufMessage value_info(const std::string& name, Shape shape) const {
        ProtobufMessage dimensions_message;
        for (const std::int64_t size : dimensions(shape)) {
            ProtobufMessage dimension;
            if (size > 0)
                dimension.add_integer(1, size);
            else
                dimension.add_text(2, "batch");
            dimensions_message.add_message(1, std::move(dimension));
        }
        ProtobufMessage tensor, type, info;
        tensor.add_integer(1, element_float);
        tensor.add_message(2, std::move(dimensions_message));
        type.add_message(1, std::move(tensor));
        info.add_text(1, name);
        info.add_message(2, std::move(type));
        return info;
    }

    static ProtobufMessage attribute(const OnnxAttribute& attribute) {
        constexpr int type_integer = 2, type_integers = 7;
        ProtobufMessage message;
        message.add_text(1, attribute.name);
        for (const std::int64_t value : attribute.integers) message.add_integer(attribute.is_list ? 8 : 3, value);
        message.add_integer(20, attribute.is_list ? type_integers : type_integer);
        return message;
    }

    static ProtobufMessage float_attribute(std::string_view name, float value) {
        ProtobufMessage message;
        message.add_text(1, name);
        message.add_float(2, value);
        message.add_integer(20, 1);
        return message;
    }

    void add_node(std::string_view type, const std::vector<std::string>& inputs, const std::string& output,
                  const std::vector<OnnxAttribute>& attributes, std::vector<ProtobufMessage> more = {}) {
        ProtobufMessage node;
        for (const std::string& input : inputs) node.add_text(1, input);
        node.add_text(2, output);
        node.add_text(3, output);
        node.add_text(4, type);
        for (const OnnxAttribute& each : attributes) node.add_message(5, attribute(each));
        for (ProtobufMessage& each : more) node.add_message(5, std::move(each));
        graph_.add_message(1, std::move(node));
    }

    /// The start of a TensorProto; its data follows.
    static ProtobufMessage tensor(std::string_view name, std::span<const std::int64_t> shape, int element) {
        ProtobufMessage message;
        for (const std::int64_t size : shape) message.add_integer(1, size);
        message.add_integer(2, element);
        message.add_text(8, name);
        return message;
    }

    /// A constant that is not a parameter of the network; a scalar if `shape` is empty. Returns its name.
    template <class T>
    std::string add_constant(const std::string& name, std::vector<std::int64_t> shape, const std::vector<T>& values) {
        std::string own = unique(name);
        ProtobufMessage message = tensor(own, shape, element_of<T>());
        const auto bytes = std::as_bytes(std::span(values));
        message.add_text(9, {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
        graph_.add_message(5, std::move(message));
        return own;
    }

    /// x surrounded by zeros: `pads` has the numbers before each of the four dimensions, then those after.
    std::string pad(const std::string& x, const std::string& name, std::vector<std::int64_t> pads) {
        const std::string sizes = add_constant<std::int64_t>(name + ".pads", {8}, pads);
        std::string padded = unique(name);
        add_node("Pad", {x, sizes}, padded, {});
        return padded;
    }

private:
    std::int64_t batch_;
    ProtobufMessage graph_;
    std::set<std::string> used_;
};

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::detail
