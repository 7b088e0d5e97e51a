#include <tenon/network.hpp>

#include "network_classifier.hpp"

std::span<const NetworkEntry> networks_of_torch() {
    using namespace tenon;
    static constexpr NetworkEntry entries[] = {
        entry_of<ResNet50V2<Classes<1000>>>("resnet50v2"),
        entry_of<ResNet101V2<Classes<1000>>>("resnet101v2"),
        entry_of<ResNet152V2<Classes<1000>>>("resnet152v2"),
        entry_of<ResNet18<>>("resnet18"),
        entry_of<ResNet34<>>("resnet34"),
        entry_of<ResNet50<>>("resnet50"),
        entry_of<ResNet101<>>("resnet101"),
        entry_of<ResNet152<>>("resnet152"),
        entry_of<WideResNet50_2<>>("wide_resnet50_2"),
        entry_of<ResNeXt50_32x4d<>>("resnext50_32x4d"),
        entry_of<TimmResNetV2_18<>>("timm_resnetv2_18"),
        entry_of<TimmResNetV2_34<>>("timm_resnetv2_34"),
        entry_of<TimmResNetV2_50<>>("timm_resnetv2_50"),
        entry_of<TimmResNetV2_101<>>("timm_resnetv2_101"),
        entry_of<MxnetResNet18V2<>>("mxnet_resnet18v2"),
        entry_of<MxnetResNet50V2<>>("mxnet_resnet50v2"),
    };
    return entries;
}
