#pragma once
// IWYU pragma: private, include <tenon/inference.hpp>

// The names of PyTorch's state_dicts: the original listing, torchvision, timm, CIFAR and wide ResNets.

#include <tenon/weights/names/convention.hpp>

namespace tenon::detail {

/// The original listing's state_dict.
inline constexpr NameRule listing_names[] = {
    {"stem.conv0", "conv1.conv"},
    {"stem.norm0", "conv1.bn"},
    {"stack#.block#.preact.norm0", "conv{0+2}.conv.{1}.preact.0"},
    {"stack#.block#.shortcut.conv0", "conv{0+2}.conv.{1}.short"},
    {"stack#.block#.body.conv0", "conv{0+2}.conv.{1}.conv1.0"},
    {"stack#.block#.body.norm0", "conv{0+2}.conv.{1}.conv1.1"},
    {"stack#.block#.body.conv1", "conv{0+2}.conv.{1}.conv2.0"},
    {"stack#.block#.body.norm1", "conv{0+2}.conv.{1}.conv2.1"},
    {"stack#.block#.body.conv2", "conv{0+2}.conv.{1}.conv3"},
    {"head.norm0", "post.bn"},
    {"head.linear0", "post.fc"},
};

/// torchvision.models.ResNet.
inline constexpr NameRule torchvision_names[] = {
    {"stem.conv0", "conv1"},
    {"stem.norm0", "bn1"},
    {"stack#.block#.body.conv#", "layer{0+1}.{1}.conv{2+1}"},
    {"stack#.block#.body.norm#", "layer{0+1}.{1}.bn{2+1}"},
    {"stack#.block#.shortcut.conv0", "layer{0+1}.{1}.downsample.0"},
    {"stack#.block#.shortcut.norm0", "layer{0+1}.{1}.downsample.1"},
    {"head.linear0", "fc"},
};

/// timm.models.resnetv2.
inline constexpr NameRule timm_names[] = {
    {"stem.conv0", "stem.conv"},
    {"stack#.block#.preact.norm0", "stages.{0}.blocks.{1}.norm1"},
    {"stack#.block#.body.conv#", "stages.{0}.blocks.{1}.conv{2+1}"},
    {"stack#.block#.body.norm#", "stages.{0}.blocks.{1}.norm{2+2}"},
    {"stack#.block#.shortcut.conv0", "stages.{0}.blocks.{1}.downsample.conv"},
    {"head.norm0", "norm"},
    {"head.linear0", "head.fc"},
};

/// akamaster/pytorch_resnet_cifar10, and the same style for pre-activated blocks.
inline constexpr NameRule cifar_names[] = {
    {"stem.conv0", "conv1"},
    {"stem.norm0", "bn1"},
    {"stack#.block#.preact.norm0", "layer{0+1}.{1}.bn0"},
    {"stack#.block#.body.conv#", "layer{0+1}.{1}.conv{2+1}"},
    {"stack#.block#.body.norm#", "layer{0+1}.{1}.bn{2+1}"},
    {"head.norm0", "bn"},
    {"head.linear0", "linear"},
};

/// xternalz/WideResNet-pytorch.
inline constexpr NameRule wide_names[] = {
    {"stem.conv0", "conv1"},
    {"stack#.block#.preact.norm0", "block{0+1}.layer.{1}.bn1"},
    {"stack#.block#.body.conv#", "block{0+1}.layer.{1}.conv{2+1}"},
    {"stack#.block#.body.norm0", "block{0+1}.layer.{1}.bn2"},
    {"stack#.block#.shortcut.conv0", "block{0+1}.layer.{1}.convShortcut"},
    {"head.norm0", "bn1"},
    {"head.linear0", "fc"},
};

}  // namespace tenon::detail
