#include <tenon/models/cifar.hpp>
#include <tenon/models/cifar10_resnet.hpp>
#include <tenon/models/fashion_mnist.hpp>
#include <tenon/models/wide_resnet.hpp>

#include "network_classifier.hpp"

std::span<const NetworkEntry> networks_of_cifar() {
    using namespace tenon;
    static constexpr NetworkEntry entries[] = {
        {"fashion_mnist", &make_network<FashionMnistResNet>},
        {"cifar10", &make_network<Cifar10ResNet>},
        {"cifar_resnet20", &make_network<CifarResNet20<>>},
        {"cifar_resnet32", &make_network<CifarResNet32<>>},
        {"cifar_resnet44", &make_network<CifarResNet44<>>},
        {"cifar_resnet56", &make_network<CifarResNet56<>>},
        {"cifar_resnet110", &make_network<CifarResNet110<>>},
        {"cifar_resnet20v2", &make_network<CifarResNet20V2<>>},
        {"cifar_resnet32v2", &make_network<CifarResNet32V2<>>},
        {"cifar_resnet44v2", &make_network<CifarResNet44V2<>>},
        {"cifar_resnet56v2", &make_network<CifarResNet56V2<>>},
        {"cifar_resnet110v2", &make_network<CifarResNet110V2<>>},
        {"wide_resnet16_1", &make_network<WideResNet16_1<>>},
        {"wide_resnet16_4", &make_network<WideResNet16_4<>>},
        {"wide_resnet28_10", &make_network<WideResNet28_10<>>},
    };
    return entries;
}
