#include "shipped_networks.hpp"

#include <tenon/models/cifar.hpp>
#include <tenon/models/cifar10_resnet.hpp>
#include <tenon/models/cifar_keras.hpp>
#include <tenon/models/fashion_mnist.hpp>
#include <tenon/models/keras.hpp>
#include <tenon/models/mxnet.hpp>
#include <tenon/models/resnet_v1.hpp>
#include <tenon/models/resnet_v2.hpp>
#include <tenon/models/timm.hpp>
#include <tenon/models/variants.hpp>
#include <tenon/models/wide_resnet.hpp>

namespace tenon_test {
namespace {

using namespace tenon;
using enum ShortcutKind;
using enum ActivationPlacement;

template <class Net>
AnyProgram lower() {
    AnyProgram program;
    Builder builder{program};
    program.output = Net::lower(builder).value;
    const detail::Capacity counts = builder.counts();
    program.ops.count = counts.ops;
    program.values.count = counts.values;
    program.layers.count = counts.layers;
    program.parameters.count = counts.parameters;
    return program;
}

template <ShortcutKind Kind>
using ShortcutVariant = CifarVariant<2, Shortcut<Kind>, Placement<original>>;
template <ActivationPlacement Where>
using PlacementVariant = CifarVariant<2, Placement<Where>>;
template <ActivationPlacement Where>
using BottleneckVariant = CifarVariant<2, Bottlenecks, Placement<Where>>;

}  // namespace

const std::vector<ShippedNetwork>& shipped_networks() {
    static const std::vector<ShippedNetwork> all = {
        {"ResNet50V2", &lower<ResNet50V2<>>},
        {"ResNet50V2 without its top", &lower<ResNet50V2<IncludeTop<false>, Preact<false>, UseBias<false>>>},
        {"ResNet50V2 pooled", &lower<ResNet50V2<IncludeTop<false>, TopPooling<Pooling::maximum>, ZeroPaddedPool>>},
        {"ResNet101V2", &lower<ResNet101V2<>>},
        {"ResNet152V2", &lower<ResNet152V2<>>},
        {"ResNet18", &lower<ResNet18<>>},
        {"ResNet34", &lower<ResNet34<>>},
        {"ResNet50", &lower<ResNet50<>>},
        {"ResNet101", &lower<ResNet101<>>},
        {"ResNet152", &lower<ResNet152<>>},
        {"WideResNet50_2", &lower<WideResNet50_2<>>},
        {"ResNeXt50_32x4d", &lower<ResNeXt50_32x4d<>>},
        {"KerasResNet50", &lower<KerasResNet50<>>},
        {"KerasResNet101", &lower<KerasResNet101<>>},
        {"KerasResNet152", &lower<KerasResNet152<>>},
        {"KerasResNet50V2", &lower<KerasResNet50V2<>>},
        {"KerasResNet101V2", &lower<KerasResNet101V2<>>},
        {"KerasResNet152V2", &lower<KerasResNet152V2<>>},
        {"MxnetResNet18V2", &lower<MxnetResNet18V2<>>},
        {"MxnetResNet50V2", &lower<MxnetResNet50V2<>>},
        {"TimmResNetV2_18", &lower<TimmResNetV2_18<>>},
        {"TimmResNetV2_34", &lower<TimmResNetV2_34<>>},
        {"TimmResNetV2_50", &lower<TimmResNetV2_50<>>},
        {"TimmResNetV2_101", &lower<TimmResNetV2_101<>>},
        {"CifarResNet20", &lower<CifarResNet20<>>},
        {"CifarResNet32", &lower<CifarResNet32<>>},
        {"CifarResNet44", &lower<CifarResNet44<>>},
        {"CifarResNet56", &lower<CifarResNet56<>>},
        {"CifarResNet110", &lower<CifarResNet110<>>},
        {"CifarResNet20V2", &lower<CifarResNet20V2<>>},
        {"CifarResNet32V2", &lower<CifarResNet32V2<>>},
        {"CifarResNet44V2", &lower<CifarResNet44V2<>>},
        {"CifarResNet56V2", &lower<CifarResNet56V2<>>},
        {"CifarResNet110V2", &lower<CifarResNet110V2<>>},
        {"KerasCifarResNet20", &lower<KerasCifarResNet20<>>},
        {"KerasCifarResNet32", &lower<KerasCifarResNet32<>>},
        {"KerasCifarResNet44", &lower<KerasCifarResNet44<>>},
        {"KerasCifarResNet56", &lower<KerasCifarResNet56<>>},
        {"KerasCifarResNet110", &lower<KerasCifarResNet110<>>},
        {"KerasCifarResNet20V2", &lower<KerasCifarResNet20V2<>>},
        {"KerasCifarResNet56V2", &lower<KerasCifarResNet56V2<>>},
        {"KerasCifarResNet110V2", &lower<KerasCifarResNet110V2<>>},
        {"MlperfTinyResNet8", &lower<MlperfTinyResNet8<>>},
        {"Cifar10ResNet", &lower<Cifar10ResNet>},
        {"FashionMnistResNet", &lower<FashionMnistResNet>},
        {"WideResNet16_1", &lower<WideResNet16_1<>>},
        {"WideResNet16_4", &lower<WideResNet16_4<>>},
        {"WideResNet28_10", &lower<WideResNet28_10<>>},
        {"CifarVariant", &lower<CifarVariant<2>>},
        {"CifarVariant, identity", &lower<ShortcutVariant<identity>>},
        {"CifarVariant, constant scaling", &lower<ShortcutVariant<constant_scaling>>},
        {"CifarVariant, exclusive gating", &lower<ShortcutVariant<exclusive_gating>>},
        {"CifarVariant, shortcut-only gating", &lower<ShortcutVariant<shortcut_only_gating>>},
        {"CifarVariant, convolution", &lower<ShortcutVariant<convolution>>},
        {"CifarVariant, dropout", &lower<ShortcutVariant<dropout>>},
        {"CifarVariant, norm after addition", &lower<PlacementVariant<norm_after_addition>>},
        {"CifarVariant, ReLU before addition", &lower<PlacementVariant<relu_before_addition>>},
        {"CifarVariant, ReLU-only pre-activation", &lower<PlacementVariant<relu_only_preactivation>>},
        {"CifarVariant, full pre-activation", &lower<PlacementVariant<full_preactivation>>},
        {"CifarVariant, bottlenecks, original", &lower<BottleneckVariant<original>>},
        {"CifarVariant, bottlenecks, norm after addition", &lower<BottleneckVariant<norm_after_addition>>},
        {"CifarVariant, bottlenecks, full pre-activation", &lower<BottleneckVariant<full_preactivation>>},
        {"CifarVariant, bottlenecks, exclusive gating",
         &lower<CifarVariant<2, Bottlenecks, Shortcut<exclusive_gating>, Placement<original>>>},
        {"CifarVariant, bottlenecks, convolution",
         &lower<CifarVariant<2, Bottlenecks, Shortcut<convolution>, Placement<full_preactivation>>>},
    };
    return all;
}

}  // namespace tenon_test
