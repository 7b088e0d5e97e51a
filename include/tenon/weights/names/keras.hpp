#pragma once
// IWYU pragma: private, include <tenon/inference.hpp>

// The names of Keras' layers: keras.applications' ResNets, and the names that Keras makes up by counting.

#include <tenon/weights/names/convention.hpp>

namespace tenon::detail {

/// keras.applications.resnet: post-activated.
inline constexpr NameRule keras_names[] = {
    {"stem.conv0", "conv1_conv"},
    {"stem.norm0", "conv1_bn"},
    {"stack#.block#.shortcut.conv0", "conv{0+2}_block{1+1}_0_conv"},
    {"stack#.block#.shortcut.norm0", "conv{0+2}_block{1+1}_0_bn"},
    {"stack#.block#.body.conv#", "conv{0+2}_block{1+1}_{2+1}_conv"},
    {"stack#.block#.body.norm#", "conv{0+2}_block{1+1}_{2+1}_bn"},
    {"head.linear0", "predictions"},
};

/// keras.applications.resnet_v2: pre-activated.
inline constexpr NameRule keras_v2_names[] = {
    {"stem.conv0", "conv1_conv"},
    {"stack#.block#.preact.norm0", "conv{0+2}_block{1+1}_preact_bn"},
    {"stack#.block#.shortcut.conv0", "conv{0+2}_block{1+1}_0_conv"},
    {"stack#.block#.body.conv#", "conv{0+2}_block{1+1}_{2+1}_conv"},
    {"stack#.block#.body.norm#", "conv{0+2}_block{1+1}_{2+1}_bn"},
    {"head.norm0", "post_bn"},
    {"head.linear0", "predictions"},
};

/// Layers without a name: counted by class in the order in which they were made.
inline constexpr NameRule keras_order_names[] = {
    {"stem.conv#", "conv2d{_n}"},
    {"stem.norm#", "batch_normalization{_n}"},
    {"stack#.block#.body.conv#", "conv2d{_n}"},
    {"stack#.block#.body.norm#", "batch_normalization{_n}"},
    {"stack#.block#.shortcut.conv#", "conv2d{_n}"},
    {"stack#.block#.shortcut.norm#", "batch_normalization{_n}"},
    {"head.norm#", "batch_normalization{_n}"},
    {"head.linear#", "dense{_n}"},
};

}  // namespace tenon::detail
