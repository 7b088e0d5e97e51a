// onnx: a network with its weights as a file that other runtimes and viewers read (ONNX, operator set 17).
//
//     write_onnx("resnet50.onnx", Parameters<ResNet50<>>{"resnet50.pth"});
#pragma once

#include <limits>
#include <string>
#include <vector>

#include <tenon/core/error.hpp>
#include <tenon/io/atomic_file.hpp>
#include <tenon/report/onnx_graph.hpp>
#include <tenon/runtime/parameters.hpp>
#include <tenon/version.hpp>

namespace tenon {

/// How a network is exported.
struct OnnxOptions {
    long batch = 1;                      ///< images that a run takes; 0: any number
    std::string graph_name = "network";  ///< what viewers show
};

inline namespace TENON_ISA_NAMESPACE {

namespace detail {
/// The ModelProto around a graph: format 8, operator set 17.
inline ProtobufMessage onnx_model(ProtobufMessage graph) {
    ProtobufMessage operators, model;
    operators.add_text(1, "");
    operators.add_integer(2, 17);
    model.add_integer(1, 8);
    model.add_text(2, "tenon");
    model.add_text(3, std::to_string(TENON_VERSION_MAJOR) + "." + std::to_string(TENON_VERSION_MINOR) + "." +
                          std::to_string(TENON_VERSION_PATCH));
    model.add_message(7, std::move(graph));
    model.add_message(8, std::move(operators));
    return model;
}
}  // namespace detail

/// Writes a network and its parameters as an ONNX file: the layers as they stand in the topology, one node each (Keras'
/// zero-padded pools, global pools and option-A shortcuts take two or three), input `input` [batch, channels, height,
/// width], result `output`. Nodes have the canonical names of layers, weights the names of a convention, by default
/// that which the network declares; their elements stand in torch's order in any case. Dropouts do nothing. The file at
/// `path` is replaced at once or not at all. Throws tenon::Error when it can't be written, the batch is negative, or
/// the network is beyond the 2 GiB of a protobuf file.
template <class Net>
void write_onnx(const std::string& path, const Parameters<Net>& parameters, const OnnxOptions& options = {},
                Naming naming = naming_of<Net>) {
    if (options.batch < 0) throw Error(path + ": a batch can't be " + std::to_string(options.batch) + " images");
    const auto& program = lowered<Net>;
    const std::vector<std::string> names = parameter_names<Net>(naming);
    const std::vector<const float*> tensors = parameters.tensors();
    const OnnxSource source{{program.ops.begin(), program.ops.end()},
                            {program.values.begin(), program.values.end()},
                            {program.layers.begin(), program.layers.end()},
                            {program.parameters.begin(), program.parameters.end()},
                            program.output,
                            names,
                            tensors};
    const ProtobufMessage model = detail::onnx_model(OnnxGraphBuilder(source, options.batch).build(options.graph_name));
    if (model.size() > std::numeric_limits<std::int32_t>::max())
        throw Error(path + ": the network takes " + std::to_string(model.size()) +
                    " bytes as ONNX, more than the 2 GiB that a protobuf file may have");
    write_file_atomically(path, model.parts());
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon
