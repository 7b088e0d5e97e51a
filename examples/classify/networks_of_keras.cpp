#include <tenon/network.hpp>

#include "network_classifier.hpp"

std::span<const NetworkEntry> networks_of_keras() {
    using namespace tenon;
    static constexpr NetworkEntry entries[] = {
        entry_of<KerasResNet50<>>("keras_resnet50"),
        entry_of<KerasResNet101<>>("keras_resnet101"),
        entry_of<KerasResNet152<>>("keras_resnet152"),
        entry_of<KerasResNet50V2<>>("keras_resnet50v2"),
        entry_of<KerasResNet101V2<>>("keras_resnet101v2"),
        entry_of<KerasResNet152V2<>>("keras_resnet152v2"),
        entry_of<KerasCifarResNet20<>>("keras_cifar_resnet20"),
        entry_of<KerasCifarResNet32<>>("keras_cifar_resnet32"),
        entry_of<KerasCifarResNet44<>>("keras_cifar_resnet44"),
        entry_of<KerasCifarResNet56<>>("keras_cifar_resnet56"),
        entry_of<KerasCifarResNet110<>>("keras_cifar_resnet110"),
        entry_of<KerasCifarResNet20V2<>>("keras_cifar_resnet20v2"),
        entry_of<KerasCifarResNet56V2<>>("keras_cifar_resnet56v2"),
        entry_of<KerasCifarResNet110V2<>>("keras_cifar_resnet110v2"),
        entry_of<MlperfTinyResNet8<>>("mlperf_tiny_resnet8"),
    };
    return entries;
}
