#pragma once
// IWYU pragma: private, include <tenon/report.hpp>

// onnx: a network with its weights as a file that other runtimes and viewers read (ONNX, operator set 17).
//
//     write_onnx("resnet50.onnx", Parameters<ResNet50<>>{"resnet50.pth"});

#include <cstdint>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include <tenon/core/error.hpp>
#include <tenon/core/index.hpp>
#include <tenon/io/atomic_file.hpp>
#include <tenon/io/weights_info.hpp>
#include <tenon/report/onnx_graph.hpp>
#include <tenon/version.hpp>
#include <tenon/weights/parameters.hpp>
#include <tenon/weights/spare_classes.hpp>

namespace tenon {

/// Options of write_onnx.
struct OnnxOptions {
    long batch = 1;                      ///< images in a run; 0: any number
    std::string graph_name = "network";  ///< what viewers show
    WeightsInfo info = {};               ///< names of the classes and other texts, for the file's metadata_props
    /// Exports only the first classes of a network with spare ones (weights/spare_classes.hpp); 0: all.
    int used_classes = 0;
};

namespace detail {
inline namespace TENON_ISA_NAMESPACE {

/// The ModelProto around a graph: format 8, operator set 17.
inline ProtobufMessage onnx_model(ProtobufMessage graph, const Metadata& metadata) {
    ProtobufMessage operators, model;
    operators.add_text(1, "");
    operators.add_integer(2, 17);
    model.add_integer(1, 8);
    model.add_text(2, "tenon");
    model.add_text(3, std::to_string(TENON_VERSION_MAJOR) + "." + std::to_string(TENON_VERSION_MINOR) + "." +
                          std::to_string(TENON_VERSION_PATCH));
    model.add_message(7, std::move(graph));
    model.add_message(8, std::move(operators));
    for (const auto& [key, value] : metadata) {
        ProtobufMessage property;
        property.add_text(1, key);
        property.add_text(2, value);
        model.add_message(14, std::move(property));
    }
    return model;
}

/// Throws tenon::Error, naming the file, when a batch is negative.
inline void check_batch(const std::string& path, long batch) {
    if (batch < 0) throw Error(path + ": a batch can't be " + std::to_string(batch) + " images");
}

/// Writes the file of a graph. Throws tenon::Error as write_onnx does.
inline void write_onnx_model(const std::string& path, ProtobufMessage graph, const WeightsInfo& info) {
    const ProtobufMessage model = onnx_model(std::move(graph), to_metadata(info));
    if (model.size() > std::numeric_limits<std::int32_t>::max())
        throw Error(path + ": the network takes " + std::to_string(model.size()) +
                    " bytes as ONNX, more than the 2 GiB that a protobuf file may have");
    write_file_atomically(path, model.parts());
}

/// Reduces a network's last Linear, and the values after it, to its first classes.
inline void keep_used_classes(const auto& ops, const ClassifierIndices& classifier, int used,
                              std::vector<Shape>& values, std::vector<Parameter>& parameters) {
    const int layer = parameters[detail::index(classifier.weight)].layer;
    bool is_after = false;
    for (const Op& op : ops) {
        is_after = is_after || (op.kind == OpKind::linear && op.layer() == layer);
        if (is_after) values[detail::index(op.target)].channels = used;
    }
    for (const int index : {classifier.weight, classifier.bias}) parameters[detail::index(index)].dimensions[0] = used;
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace detail

inline namespace TENON_ISA_NAMESPACE {

/// Writes a network and its parameters as an ONNX file: the layers as they are in the topology, one node each (Keras'
/// zero-padded pools, global pools and option-A shortcuts take two or three), input `input` [batch, channels, height,
/// width], result `output`. Nodes have the canonical names of layers; weights have the names of a convention, by
/// default the one the network declares, and their elements are always in torch's order. Dropout does nothing. The file
/// at `path` is replaced completely or not at all. Throws tenon::Error when it can't be written, when the batch is
/// negative, when there are not as many names as classes, or when the network exceeds the 2 GiB of a protobuf file.
template <class Net>
void write_onnx(const std::string& path, const Parameters<Net>& parameters, const OnnxOptions& options = {},
                Naming naming = naming_of<Net>) {
    detail::check_batch(path, options.batch);
    const auto& program = lowered<Net>;
    const std::vector<std::string> names = detail::parameter_names<Net>(naming);
    const std::vector<const float*> tensors = parameters.tensors();
    std::vector<Shape> values(program.values.begin(), program.values.end());
    std::vector<detail::Parameter> infos(program.parameters.begin(), program.parameters.end());
    if constexpr (detail::can_spare_classes<Net>) {
        if (options.used_classes != 0) {
            detail::check_used_classes<Net>(path, options.used_classes);
            keep_used_classes(program.ops, detail::classifier_indices<Net>(), options.used_classes, values, infos);
        }
    } else if (options.used_classes != 0) {
        throw Error(path + ": spare classes need a network that ends in one Linear with a bias");
    }
    detail::check_class_count(options.info, values[detail::index(program.output)].elements(), path);
    const detail::OnnxSource source{{program.ops.begin(), program.ops.end()},
                                    values,
                                    {program.layers.begin(), program.layers.end()},
                                    infos,
                                    program.output,
                                    names,
                                    tensors};
    detail::OnnxGraphBuilder builder{source, options.batch};
    detail::write_onnx_model(path, builder.build(detail::to_utf8(options.graph_name)), options.info);
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon
