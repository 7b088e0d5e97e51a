// Parameters and multiply-adds of the shipped networks against the figures their libraries publish. Nothing here runs.
#include <tenon/models/cifar.hpp>
#include <tenon/models/cifar10_resnet.hpp>
#include <tenon/models/cifar_keras.hpp>
#include <tenon/models/keras.hpp>
#include <tenon/models/mxnet.hpp>
#include <tenon/models/resnet_v1.hpp>
#include <tenon/models/resnet_v2.hpp>
#include <tenon/models/timm.hpp>
#include <tenon/models/wide_resnet.hpp>

namespace {
using namespace tenon;

/// Multiply-adds in units of a million, rounded.
template <class Net>
constexpr long mega = (multiply_adds<Net> + 500'000) / 1'000'000;

// torchvision: num_params and _ops (GFLOPS in its sense) of the weights' meta data.
static_assert(parameter_count<ResNet18<>> == 11'689'512 && mega<ResNet18<>> == 1'814);
static_assert(parameter_count<ResNet34<>> == 21'797'672 && mega<ResNet34<>> == 3'664);
static_assert(parameter_count<ResNet50<>> == 25'557'032 && mega<ResNet50<>> == 4'089);
static_assert(parameter_count<ResNet101<>> == 44'549'160 && mega<ResNet101<>> == 7'801);
static_assert(parameter_count<ResNet152<>> == 60'192'808 && mega<ResNet152<>> == 11'514);
static_assert(parameter_count<WideResNet50_2<>> == 68'883'240 && mega<WideResNet50_2<>> == 11'398);
static_assert(parameter_count<ResNeXt50_32x4d<>> == 25'028'904 && mega<ResNeXt50_32x4d<>> == 4'230);

// Keras: "trainable params" and "total params" of summary().
static_assert(parameter_count<KerasResNet50<>> == 25'583'592 && state_count<KerasResNet50<>> == 25'636'712);
static_assert(parameter_count<KerasResNet101<>> == 44'601'832 && state_count<KerasResNet101<>> == 44'707'176);
static_assert(parameter_count<KerasResNet152<>> == 60'268'520 && state_count<KerasResNet152<>> == 60'419'944);
static_assert(parameter_count<KerasResNet50V2<>> == 25'568'360 && state_count<KerasResNet50V2<>> == 25'613'800);
static_assert(parameter_count<KerasResNet101V2<>> == 44'577'896 && state_count<KerasResNet101V2<>> == 44'675'560);
static_assert(parameter_count<KerasResNet152V2<>> == 60'236'904 && state_count<KerasResNet152V2<>> == 60'380'648);
static_assert(mega<KerasResNet50V2<>> == 3'482);
static_assert(mega<KerasResNet50<>> == 3'858);  // the paper's 3.8 G: the stride is that of the first 1x1
static_assert(parameter_count<KerasCifarResNet20<>> == 273'066 && state_count<KerasCifarResNet20<>> == 274'442);
static_assert(parameter_count<KerasCifarResNet20V2<>> == 570'602 && state_count<KerasCifarResNet20V2<>> == 574'090);
static_assert(parameter_count<KerasCifarResNet32<>> == 467'946 && state_count<KerasCifarResNet32<>> == 470'218);
static_assert(parameter_count<KerasCifarResNet44<>> == 662'826 && state_count<KerasCifarResNet44<>> == 665'994);
static_assert(parameter_count<KerasCifarResNet56<>> == 857'706 && state_count<KerasCifarResNet56<>> == 861'770);
static_assert(parameter_count<KerasCifarResNet110<>> == 1'734'666 && state_count<KerasCifarResNet110<>> == 1'742'762);
static_assert(parameter_count<KerasCifarResNet56V2<>> == 1'663'338 && state_count<KerasCifarResNet56V2<>> == 1'673'738);
static_assert(parameter_count<KerasCifarResNet110V2<>> == 3'302'442 &&
              state_count<KerasCifarResNet110V2<>> == 3'323'210);
static_assert(parameter_count<MlperfTinyResNet8<>> == 78'186 && state_count<MlperfTinyResNet8<>> == 78'666);

// timm: sum of numel() over parameters().
static_assert(parameter_count<TimmResNetV2_18<>> == 11'687'720);
static_assert(parameter_count<TimmResNetV2_34<>> == 21'795'880);
static_assert(parameter_count<TimmResNetV2_50<>> == 25'549'352 && mega<TimmResNetV2_50<>> == 4'089);
static_assert(parameter_count<TimmResNetV2_101<>> == 44'541'480);
static_assert(mega<TimmResNetV2_18<>> == 1'814 && mega<TimmResNetV2_34<>> == 3'664 &&
              mega<TimmResNetV2_101<>> == 7'801);

// The listing: timm's parameters and a bias on the first convolution.
static_assert(parameter_count<ResNet50V2<Classes<1000>>> == 25'549'352 + 64);
static_assert(parameter_count<ResNet101V2<Classes<1000>>> == 44'541'480 + 64);
static_assert(parameter_count<ResNet152V2<Classes<1000>>> == 60'185'128 + 64);
static_assert(mega<ResNet50V2<Classes<1000>>> == 3'482);

// MXNet: timm's, and a norm after the first convolution; that of the input has neither gamma nor beta.
static_assert(parameter_count<MxnetResNet18V2<>> == 11'687'720 + 2 * 64);
static_assert(parameter_count<MxnetResNet50V2<>> == 25'549'352 + 2 * 64);
static_assert(state_count<MxnetResNet50V2<>> == 25'594'792 + 2 * 3 + 4 * 64);

// The papers' CIFAR networks: table 6 of He et al. 2015 (0.27, 0.46, 0.66, 0.85, 1.7 M).
static_assert(parameter_count<CifarResNet20<>> == 269'722);
static_assert(parameter_count<CifarResNet32<>> == 464'154);
static_assert(parameter_count<CifarResNet44<>> == 658'586);
static_assert(parameter_count<CifarResNet56<>> == 853'018);
static_assert(parameter_count<CifarResNet110<>> == 1'727'962);
static_assert(mega<CifarResNet20<>> == 41 && mega<CifarResNet56<>> == 125 && mega<CifarResNet110<>> == 253);
static_assert(parameter_count<Cifar10ResNet> == 902'058 && multiply_adds<Cifar10ResNet> == 71'070'752);
static_assert(parameter_count<CifarResNet20V2<>> == 269'722);  // norms move, their channels add up to the same
static_assert(parameter_count<CifarResNet32V2<>> == 464'154);
static_assert(parameter_count<CifarResNet44V2<>> == 658'586);
static_assert(parameter_count<CifarResNet56V2<>> == 853'018);
static_assert(parameter_count<CifarResNet110V2<>> == 1'727'962);

// Zagoruyko and Komodakis 2016: 0.2 M, 2.7 M, 36.5 M and 5.2 G.
static_assert(parameter_count<WideResNet16_1<>> / 10'000 == 17);
static_assert(parameter_count<WideResNet16_4<>> == 2'748'890);
static_assert(parameter_count<WideResNet28_10<>> == 36'479'194);
static_assert(mega<WideResNet28_10<>> / 100 == 52);
}  // namespace
