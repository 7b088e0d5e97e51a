#include "networks_on_cuda.hpp"

#include "network_classifier.hpp"

namespace {

template <class Net>
std::unique_ptr<Classifier> make_on_cuda(std::string_view name, int threads) {
    return std::make_unique<NetworkClassifier<Net, tenon::Cuda>>(name, threads);
}

}  // namespace

std::span<const NetworkEntry> networks_on_cuda() {
    using namespace tenon;
    static constexpr NetworkEntry entries[] = {
        {"fashion_mnist", &make_on_cuda<FashionMnistResNet>},
        {"cifar10", &make_on_cuda<Cifar10ResNet>},
        {"cifar_resnet20", &make_on_cuda<CifarResNet20<>>},
        {"resnet50v2", &make_on_cuda<ResNet50V2<Classes<1000>>>},
        {"resnet152v2", &make_on_cuda<ResNet152V2<Classes<1000>>>},
        {"resnet18", &make_on_cuda<ResNet18<>>},
        {"resnet50", &make_on_cuda<ResNet50<>>},
        {"resnext50_32x4d", &make_on_cuda<ResNeXt50_32x4d<>>},
        {"keras_resnet50v2", &make_on_cuda<KerasResNet50V2<>>},
        {"timm_resnetv2_50", &make_on_cuda<TimmResNetV2_50<>>},
    };
    return entries;
}
