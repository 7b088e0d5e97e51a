#include <tenon/network.hpp>

#include "network_classifier.hpp"

std::span<const NetworkEntry> networks_of_cifar() {
    using namespace tenon;
    static constexpr NetworkEntry entries[] = {
        entry_of<FashionMnistResNet>("fashion_mnist"),   entry_of<Cifar10ResNet>("cifar10"),
        entry_of<CifarResNet20<>>("cifar_resnet20"),     entry_of<CifarResNet32<>>("cifar_resnet32"),
        entry_of<CifarResNet44<>>("cifar_resnet44"),     entry_of<CifarResNet56<>>("cifar_resnet56"),
        entry_of<CifarResNet110<>>("cifar_resnet110"),   entry_of<CifarResNet20V2<>>("cifar_resnet20v2"),
        entry_of<CifarResNet32V2<>>("cifar_resnet32v2"), entry_of<CifarResNet44V2<>>("cifar_resnet44v2"),
        entry_of<CifarResNet56V2<>>("cifar_resnet56v2"), entry_of<CifarResNet110V2<>>("cifar_resnet110v2"),
        entry_of<WideResNet16_1<>>("wide_resnet16_1"),   entry_of<WideResNet16_4<>>("wide_resnet16_4"),
        entry_of<WideResNet28_10<>>("wide_resnet28_10"),
    };
    return entries;
}
