#pragma once
// IWYU pragma: private, include <tenon/inference.hpp>

// The names of MXNet's resnet_v2 networks, as the ONNX model zoo's files have them.

#include <tenon/weights/names/convention.hpp>

namespace tenon::detail {

/// MXNet counts the networks that a program makes, so the number after this prefix can be any: the zoo's resnet18-v2 is
/// `resnetv22`, its resnet50-v2 `resnetv24`.
inline constexpr std::string_view mxnet_prefix = "resnetv2";

/// Counted in each stage in the order in which the layers were made: a block's body, then its projection.
inline constexpr NameRule mxnet_names[] = {
    {"stem.conv#", "resnetv24_conv{n}"},
    {"stem.norm#", "resnetv24_batchnorm{n}"},
    {"stack#.block#.preact.norm0", "resnetv24_stage{0+1}_batchnorm{n}"},
    {"stack#.block#.body.conv#", "resnetv24_stage{0+1}_conv{n}"},
    {"stack#.block#.body.norm#", "resnetv24_stage{0+1}_batchnorm{n}"},
    {"stack#.block#.shortcut.conv0", "resnetv24_stage{0+1}_conv{n}"},
    {"head.norm#", "resnetv24_batchnorm{n}"},
    {"head.linear#", "resnetv24_dense{n}"},
};

}  // namespace tenon::detail
