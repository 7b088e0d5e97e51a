#include <tenon/models/cifar_keras.hpp>
#include <tenon/models/keras.hpp>

#include "network_classifier.hpp"

std::span<const NetworkEntry> networks_of_keras() {
    using namespace tenon;
    static constexpr NetworkEntry entries[] = {
        {"keras_resnet50", &make_network<KerasResNet50<>>},
        {"keras_resnet101", &make_network<KerasResNet101<>>},
        {"keras_resnet152", &make_network<KerasResNet152<>>},
        {"keras_resnet50v2", &make_network<KerasResNet50V2<>>},
        {"keras_resnet101v2", &make_network<KerasResNet101V2<>>},
        {"keras_resnet152v2", &make_network<KerasResNet152V2<>>},
        {"keras_cifar_resnet20", &make_network<KerasCifarResNet20<>>},
        {"keras_cifar_resnet32", &make_network<KerasCifarResNet32<>>},
        {"keras_cifar_resnet44", &make_network<KerasCifarResNet44<>>},
        {"keras_cifar_resnet56", &make_network<KerasCifarResNet56<>>},
        {"keras_cifar_resnet110", &make_network<KerasCifarResNet110<>>},
        {"keras_cifar_resnet20v2", &make_network<KerasCifarResNet20V2<>>},
        {"keras_cifar_resnet56v2", &make_network<KerasCifarResNet56V2<>>},
        {"keras_cifar_resnet110v2", &make_network<KerasCifarResNet110V2<>>},
        {"mlperf_tiny_resnet8", &make_network<MlperfTinyResNet8<>>},
    };
    return entries;
}
