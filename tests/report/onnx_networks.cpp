// Exports one of some networks as ONNX, and beside it what to compare the file with.
//
//     tenon_onnx_networks                      the names of the networks, one per line
//     tenon_onnx_networks NAME FOLDER          writes FOLDER/NAME.onnx and FOLDER/NAME.safetensors: the parameters
//                                              under the names that the file gives them, `input`, `output`, the
//                                              model's results, and, of one in integers, those of the same in floats
#include "onnx_networks.hpp"

#include <cstdio>
#include <deque>
#include <exception>
#include <string>
#include <string_view>
#include <vector>

#include <tenon/models/cifar.hpp>
#include <tenon/models/cifar_keras.hpp>
#include <tenon/models/keras.hpp>
#include <tenon/models/mxnet.hpp>
#include <tenon/models/resnet_v1.hpp>
#include <tenon/models/resnet_v2.hpp>
#include <tenon/models/timm.hpp>
#include <tenon/report/onnx.hpp>
#include <tenon/topology/channel_ops.hpp>

namespace {
using namespace onnx_networks;

/// Every shortcut with a gate or a factor.
struct Gated
    : Network<Input<3, 8, 8>, Conv<20, Kernel<3>, Padding<1>>, BatchNorm, ReLU,
              GatedResidual<Sequential<Conv<20, Kernel<3>, Padding<1>>, BatchNorm>, Identity, Conv<20, Bias>>, ReLU,
              Residual<Sequential<Conv<20, Kernel<3>, Padding<1>>, BatchNorm>,
                       Product<Identity, Sequential<Conv<20, Bias>, Scale<-1>, Sigmoid>>>,
              Residual<Sequential<Conv<20>, BatchNorm, Scale<1, 2>>, Scale<1, 2>>, ReLU,
              Residual<Sequential<Conv<24>, BatchNorm>, PadChannels<24>>, BatchNorm, ReLU, Dropout<>, GlobalAvgPool> {};

/// What the shipped networks don't use: uneven paddings and strides, averages over padding and without, a maximum over
/// zeros, groups, a flattened map, a linear layer without a bias, a norm of a vector, probabilities.
struct Parts : Network<Input<4, 21, 17>, Conv<12, Kernel<5, 3>, Stride<2, 1>, Padding<2, 0, 1, 1>, Groups<4>, Bias>,
                       AvgPool<Kernel<3>, Stride<1>, Padding<1>>,
                       AvgPool<Kernel<3>, Stride<2>, Padding<1>, PadExcluded>, Scale<-1, 3>,
                       MaxPool<Kernel<3, 2>, Stride<1>, Padding<1, 0, 1, 1>, PadZero>, PadChannels<19, Stride<1, 2>>,
                       MaxPool<Kernel<2>>, Flatten, Linear<12, NoBias>, BatchNorm, ReLU, Linear<7>, Softmax> {};

struct Largest : Network<Input<5, 6, 7>, GlobalMaxPool> {};
struct Nothing : Network<Input<2, 3, 3>> {};

template <class Net>
void write(const std::string& name, const std::string& folder, std::size_t images, long batch) {
    Parameters<Net> parameters;
    parameters.seed(1);
    write_onnx(folder + "/" + name + ".onnx", parameters, {.batch = batch, .graph_name = name});

    const std::vector<float> input = seeded_input<Net>(images);
    Model<Net> model{{.threads = 2}};
    model.set_parameters(parameters);
    write_tensors(folder + "/" + name + ".safetensors", parameters, input, {{"output", model(input)}});
}

using Small = Input<3, 64, 64>;
constexpr Entry entries[] = {
    {"resnet50v2", &write<ResNet50V2<Classes<1000>>>},
    {"resnet50", &write<ResNet50<>>},
    {"resnet18", &write<ResNet18<1000, Small>>, 2, 2},
    {"resnext50_32x4d", &write<ResNeXt50_32x4d<100, Small>>},
    {"keras_resnet50", &write<KerasResNet50<100, Small>>},
    {"keras_resnet50v2", &write<KerasResNet50V2<100, Small>>, 2, 0},
    {"timm_resnetv2_18", &write<TimmResNetV2_18<100, Small>>},
    {"mxnet_resnet18v2", &write<MxnetResNet18V2<100, Small>>},
    {"cifar_resnet20", &write<CifarResNet20<>>, 3, 0},
    {"cifar_resnet20v2", &write<CifarResNet20V2<>>, 2, 2},
    {"keras_cifar_resnet20v2", &write<KerasCifarResNet20V2<>>},
    {"mlperf_tiny_resnet8", &write<MlperfTinyResNet8<>>},
    {"gated", &write<Gated>, 2, 2},
    {"parts", &write<Parts>, 2, 2},
    {"largest", &write<Largest>},
    {"nothing", &write<Nothing>},
};

}  // namespace

int main(int argc, char** argv) try {
    for (const std::span<const Entry> some : {std::span<const Entry>(entries), integer_entries()})
        for (const Entry& entry : some) {
            if (argc == 1) std::printf("%s\n", entry.name.data());
            if (argc == 3 && entry.name == argv[1]) {
                entry.write(argv[1], argv[2], entry.images, entry.batch);
                return 0;
            }
        }
    return argc == 1 ? 0 : 2;
} catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
}
