#include <tenon/models/mxnet.hpp>
#include <tenon/models/resnet_v1.hpp>
#include <tenon/models/resnet_v2.hpp>
#include <tenon/models/timm.hpp>

#include "network_classifier.hpp"

std::span<const NetworkEntry> networks_of_torch() {
    using namespace tenon;
    static constexpr NetworkEntry entries[] = {
        {"resnet50v2", &make_network<ResNet50V2<Classes<1000>>>},
        {"resnet101v2", &make_network<ResNet101V2<Classes<1000>>>},
        {"resnet152v2", &make_network<ResNet152V2<Classes<1000>>>},
        {"resnet18", &make_network<ResNet18<>>},
        {"resnet34", &make_network<ResNet34<>>},
        {"resnet50", &make_network<ResNet50<>>},
        {"resnet101", &make_network<ResNet101<>>},
        {"resnet152", &make_network<ResNet152<>>},
        {"wide_resnet50_2", &make_network<WideResNet50_2<>>},
        {"resnext50_32x4d", &make_network<ResNeXt50_32x4d<>>},
        {"timm_resnetv2_18", &make_network<TimmResNetV2_18<>>},
        {"timm_resnetv2_34", &make_network<TimmResNetV2_34<>>},
        {"timm_resnetv2_50", &make_network<TimmResNetV2_50<>>},
        {"timm_resnetv2_101", &make_network<TimmResNetV2_101<>>},
        {"mxnet_resnet18v2", &make_network<MxnetResNet18V2<>>},
        {"mxnet_resnet50v2", &make_network<MxnetResNet50V2<>>},
    };
    return entries;
}
