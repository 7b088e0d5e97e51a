#pragma once
// IWYU pragma: private, include <tenon/report.hpp>

// onnx: a calibrated network in 8-bit integers as an ONNX file.
//
//     write_onnx("resnet18.int8.onnx", Parameters<ResNet18<>>{"resnet18.int8.safetensors"},
//                programs::read_input_ranges("resnet18.int8.safetensors"));

#include <cmath>
#include <concepts>
#include <iterator>
#include <span>
#include <string>
#include <vector>

#include <tenon/core/error.hpp>
#include <tenon/core/sentence.hpp>
#include <tenon/engine/cpu_int8_codes.hpp>
#include <tenon/io/safetensors.hpp>
#include <tenon/report/onnx.hpp>
#include <tenon/report/onnx_int8_graph.hpp>
#include <tenon/weights/ranges_name.hpp>

namespace tenon {

namespace detail {
inline namespace TENON_ISA_NAMESPACE {

[[noreturn]] inline void fail_without_ranges(const std::string& path) {
    throw Error(path +
                ": a network in 8-bit integers needs the ranges of what each layer reads, which are missing: measure "
                "them with CpuWith<Precision::int8>::Calibrator, or with `classify --calibrate FOLDER --save FILE`");
}

/// Throws tenon::Error, naming the file, unless `ranges` are those of a network with `expected` convolutions and linear
/// layers.
inline void check_ranges(const std::string& path, std::span<const float> ranges, int expected) {
    if (ranges.empty()) fail_without_ranges(path);
    if (std::ssize(ranges) != expected)
        throw_error({path, ": the network has ", expected, " convolutions and linear layers, but there are ranges of ",
                     ranges.size()});
    for (const float range : ranges)
        if (!std::isfinite(range) || range < 0)
            throw_error({path, ": the ranges of a network's layers must be finite numbers from 0 on; one is ",
                         std::to_string(range)});
}

/// The ranges that a Calibrator has saved beside a network's weights. Throws tenon::Error when the file is no
/// safetensors file or lacks them.
inline std::vector<float> read_input_ranges(const std::string& path) {
    const SafetensorsFile file{path};
    if (!file.find(ranges_name)) fail_without_ranges(path);
    return file.values<float>(ranges_name);
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace detail

namespace programs {

/// The ranges that a Calibrator has saved beside a network's weights.
using detail::read_input_ranges;

}  // namespace programs

inline namespace TENON_ISA_NAMESPACE {

/// Writes a network in 8-bit integers as an ONNX file, of parameters and the ranges that a Calibrator has measured
/// (Calibrator::input_ranges, programs::read_input_ranges): the operations of Model<Net, CpuWith<Precision::int8>>,
/// with QuantizeLinear and DequantizeLinear where it stores bytes. Weights are int8 with a scale per output channel and
/// their norms folded in; activations uint8 with the zero point 0, an image of few channels with 128. What the model
/// stores in 16 bits, and the layers that read it, are in floats, with the model's rounded weights. All else is as in
/// write_onnx of floats. Throws tenon::Error as that does, when there are no ranges or those of another network, when a
/// parameter is not finite, and when classes are to be left out.
template <class Net, std::convertible_to<std::span<const float>> Ranges>
void write_onnx(const std::string& path, const Parameters<Net>& parameters, const Ranges& input_ranges,
                const OnnxOptions& options = {}, Naming naming = naming_of<Net>) {
    const std::span<const float> ranges = input_ranges;
    detail::check_batch(path, options.batch);
    if (options.used_classes != 0) throw Error(path + ": a network in 8-bit integers is exported with all its classes");
    detail::check_class_count(options.info, output_shape<Net>.elements(), path);
    detail::check_ranges(path, ranges, cpu::Int8Engine<Net>::range_count);
    const std::vector<const float*> tensors = parameters.tensors();
    try {
        cpu::expect_codes<Net>(tensors);
    } catch (const Error& error) {
        detail::throw_error({path, ": ", error.what()});
    }
    const auto& program = cpu::QuantizedNetwork<Net, cpu::Packing::integers>::program;
    const std::vector<std::string> names = detail::parameter_names<Net>(naming);
    const detail::OnnxSource source{{program.ops.begin(), program.ops.end()},
                                    {program.values.begin(), program.values.end()},
                                    {program.layers.begin(), program.layers.end()},
                                    {program.parameters.begin(), program.parameters.end()},
                                    program.output,
                                    names,
                                    tensors};
    const cpu::IntegerForm form = cpu::integer_form<Net>(ranges);
    detail::OnnxInt8GraphBuilder builder{source, form, output_shape<Net>, options.batch};
    detail::write_onnx_model(path, builder.build(detail::to_utf8(options.graph_name)), options.info);
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon
