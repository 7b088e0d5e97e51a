#pragma once
// IWYU pragma: private, include <tenon/network.hpp>

// What a library means by "ResNet": where its biases, strides, paddings and norms differ from those of other libraries.
//
// A flavour is a type of constants that blocks and networks take as their first argument. Weights fit only the flavour
// that they were trained in: the same layers with the stride elsewhere are another network.

#include <type_traits>

#include <tenon/models/image_convention.hpp>
#include <tenon/models/naming.hpp>
#include <tenon/topology/block.hpp>
#include <tenon/topology/facts.hpp>

namespace tenon::detail {

/// A convolution's bias under a condition.
template <bool Has>
struct BiasIf {
    static constexpr unsigned users = for_conv;
    static constexpr void apply(WindowOptions& options) { options.bias = Has; }
};

/// A stride under a condition, else 1.
constexpr int stride_if(bool condition, int pixels) { return condition ? pixels : 1; }

/// Which convolution of a bottleneck has the block's stride.
enum class StrideConvolution { first, middle };
/// Which block of a stage has the stage's stride.
enum class StrideBlock { first, last };

/// torchvision's ResNets: no biases, the stride on the 3x3 of a stage's first block ("v1.5"), torch's batch norm.
struct TorchvisionFlavour {
    static constexpr Naming naming = Naming::torchvision;
    static constexpr ImageConvention images = ImageConvention::torchvision;
    static constexpr StrideConvolution stride_convolution = StrideConvolution::middle;
    static constexpr StrideBlock stride_block = StrideBlock::first;
    static constexpr bool stem_bias = false;   ///< of the network's first convolution
    static constexpr bool inner_bias = false;  ///< of a block's convolutions that a norm follows in every flavour
    static constexpr bool outer_bias = false;  ///< of a block's last convolution and its projection
    static constexpr bool input_norm = false;  ///< a norm without gamma and beta before everything
    static constexpr bool stem_norm = true;    ///< norm and ReLU after the first convolution
    static constexpr int groups = 1;           ///< of the 3x3
    static constexpr int width_numerator = 1;  ///< channels of the 3x3, as a multiple of a stage's filters
    using Norm = BatchNorm;
    using Pool = MaxPool<Kernel<3>, Stride<2>, Padding<1>>;
};

/// torchvision's wide_resnet50_2: twice the channels in the 3x3.
struct WideFlavour : TorchvisionFlavour {
    static constexpr int width_numerator = 2;
};

/// torchvision's resnext50_32x4d: twice the channels in the 3x3, in 32 groups.
struct ResNeXtFlavour : WideFlavour {
    static constexpr int groups = 32;
};

/// keras.applications' ResNet: biases everywhere, the stride on the first 1x1 ("v1"), epsilon 1.001e-5, a pool that is
/// padded with zeros.
struct KerasFlavour : TorchvisionFlavour {
    static constexpr Naming naming = Naming::keras;
    static constexpr ImageConvention images = ImageConvention::keras_caffe;
    static constexpr StrideConvolution stride_convolution = StrideConvolution::first;
    static constexpr bool stem_bias = true, inner_bias = true, outer_bias = true;
    using Norm = BatchNormWith<Epsilon<1001, 100'000'000>, Momentum<1, 100>>;
    using Pool = MaxPool<Kernel<3>, Stride<2>, Padding<1>, PadZero>;
};

/// keras.applications' ResNetV2: biases where no norm follows, the stride on the 3x3 of a stage's last block; the pool
/// reads values that no norm and ReLU precede, so its zeros differ from torch's minus infinity.
struct KerasV2Flavour : KerasFlavour {
    static constexpr Naming naming = Naming::keras_v2;
    static constexpr ImageConvention images = ImageConvention::keras_tf;
    static constexpr StrideConvolution stride_convolution = StrideConvolution::middle;
    static constexpr StrideBlock stride_block = StrideBlock::last;
    static constexpr bool inner_bias = false, stem_norm = false;
};

/// timm's resnetv2: torchvision's strides and norms, pre-activated.
struct TimmFlavour : TorchvisionFlavour {
    static constexpr Naming naming = Naming::timm;
    static constexpr ImageConvention images = ImageConvention::timm;
    static constexpr bool stem_norm = false;
};

/// MXNet's resnet_v2, which the ONNX model zoo offers: a norm of the input, too, and one in the stem.
struct MxnetFlavour : TorchvisionFlavour {
    static constexpr Naming naming = Naming::mxnet;
    static constexpr bool input_norm = true;
};

/// The stem of a flavour's ImageNet network.
template <class Flavour>
struct FlavourStem {
    using Convolution = Conv<64, Kernel<7>, Stride<2>, Padding<3>, BiasIf<Flavour::stem_bias>>;
    using InputNorm = std::conditional_t<Flavour::input_norm, BatchNormWith<NoAffine>, Identity>;
    using Activation = std::conditional_t<Flavour::stem_norm, Sequential<typename Flavour::Norm, ReLU>, Identity>;
    using Layers = Stem<InputNorm, Convolution, Activation, typename Flavour::Pool>;
};

}  // namespace tenon::detail
