#pragma once
// IWYU pragma: private, include <tenon/network.hpp>

// Under which names weights files hold the parameters of a network.

namespace tenon {

/// A convention for the names of parameters and the layout of weights. weights/names/ has the table of each.
enum class Naming {
    canonical,    ///< tenon's own: the path of the layer and the role, `stack0.block1.body.conv2.weight`
    listing,      ///< the original listing's state_dict, `conv2.conv.1.conv3.weight`
    torchvision,  ///< torchvision's ResNets, `layer1.1.conv3.weight`
    timm,         ///< timm's resnetv2, `stages.0.blocks.1.conv3.weight`; the classifier is a 1x1 convolution
    keras,        ///< keras.applications' ResNets, `conv2_block2_3_conv/kernel`; kernels are HWIO
    keras_v2,     ///< keras.applications' ResNetV2s, `conv2_block2_preact_bn/gamma`; kernels are HWIO
    keras_order,  ///< Keras' names for layers without one, `conv2d_7/kernel`, counted from any number
    mxnet,        ///< MXNet's resnet_v2 as the ONNX zoo has it, `resnetv24_stage1_conv5_weight`
    cifar,        ///< akamaster's CIFAR ResNets, `layer1.1.conv2.weight` and `linear.weight`
    wide,         ///< wide ResNets of xternalz and others, `block1.layer.1.conv2.weight`
};

/// The convention a network declares by a static member `naming`; canonical without one.
template <class Net>
inline constexpr Naming naming_of = [] {
    if constexpr (requires { Net::naming; })
        return Net::naming;
    else
        return Naming::canonical;
}();

}  // namespace tenon
