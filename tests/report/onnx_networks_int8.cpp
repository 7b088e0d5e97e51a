// The networks in 8-bit integers of tenon_onnx_networks.
#include <tenon/engine/cpu_with.hpp>
#include <tenon/report/onnx_int8.hpp>
#include <tenon/topology/channel_ops.hpp>

#include "../quantized/networks.hpp"
#include "onnx_networks.hpp"

namespace onnx_networks {
namespace {

/// Bytes from the image on, so that every sum is one of the same integers as the model's: a stride, a pool between the
/// codes and what makes them, biases, and a linear layer.
struct Bytes : Network<Input<20, 13, 11>, ReLU, Conv<40, Kernel<3>, Padding<1>, Bias>, BatchNorm, ReLU,
                       MaxPool<Kernel<2>, Stride<2>>, Conv<24, Kernel<3>, Stride<2>, Padding<1, 0, 1, 1>>, ReLU,
                       GlobalAvgPool, Linear<10>> {};

/// A residual of bytes, and one of floats that is read with a stride, between bytes: few layers, so that results are
/// nearly those of the model.
struct BytesAdded
    : Network<Input<16, 10, 9>, ReLU, Residual<Sequential<Conv<16, Kernel<3>, Padding<1>>, BatchNorm>, Identity, ReLU>,
              Conv<12, Kernel<1>, Bias>> {};
struct FloatsAdded
    : Network<Input<16, 10, 9>, ReLU,
              Residual<Sequential<Conv<16, Kernel<1>, Stride<2>>, BatchNorm>, MaxPool<Kernel<1>, Stride<2>>>, BatchNorm,
              ReLU, Conv<12, Kernel<1>>> {};

/// Groups and a linear layer that reads a map, which are computed in floats; a gate; a map as the result.
struct Mixed
    : Network<Input<3, 16, 18>, Conv<32, Kernel<3>, Padding<1>>, ReLU, Conv<32, Kernel<3>, Padding<1>, Groups<4>>, ReLU,
              Residual<Sequential<BatchNorm, ReLU, Conv<32, Kernel<1>>>, Conv<32, Kernel<1>>>, BatchNorm,
              Conv<24, Kernel<1>>, Sigmoid, MaxPool<Kernel<2>, Stride<2>>, Flatten, Linear<10>> {};
struct FlatMap : Network<Input<4, 6, 5>, Conv<8, Kernel<3>>, ReLU, Conv<6>, Flatten> {};

template <class Net>
void write(const std::string& name, const std::string& folder, std::size_t images, long batch) {
    using Integers = CpuWith<Precision::int8>;
    Parameters<Net> parameters, copy;
    parameters.seed(1);
    copy.seed(1);
    const std::vector<float> input = seeded_input<Net>(images);
    Integers::Calibrator<Net> calibrator{std::move(copy), 1};
    calibrator.add(input);
    const std::vector<float> ranges = calibrator.input_ranges();
    write_onnx(folder + "/" + name + ".onnx", parameters, ranges, {.batch = batch, .graph_name = name});
    Model<Net, Integers> model{{.threads = 2}};
    model.set_parameters(parameters, ranges);
    Model<Net> in_floats{{.threads = 2}};
    in_floats.set_parameters(parameters);
    write_tensors(folder + "/" + name + ".safetensors", parameters, input,
                  {{"output", model(input)}, {"output_of_floats", in_floats(input)}});
}

}  // namespace

std::span<const Entry> integer_entries() {
    static constexpr Entry entries[] = {
        {"int8_bytes", &write<Bytes>, 3, 3},
        {"int8_bytes_added", &write<BytesAdded>, 2, 2},
        {"int8_floats_added", &write<FloatsAdded>, 2, 2},
        {"int8_preactivated", &write<quantized_test::Preactivated>, 3, 0},
        {"int8_postactivated", &write<quantized_test::Postactivated>, 2, 2},
        {"int8_mixed", &write<Mixed>, 2, 2},
        {"int8_flat_map", &write<FlatMap>, 2, 2},
    };
    return entries;
}

}  // namespace onnx_networks
