// Networks as types: layers, blocks, options, shipped networks, and facts about them as constants.
#pragma once

#include <tenon/core/begin_door.hpp>

// IWYU pragma: begin_exports
#include <tenon/core/error.hpp>
#include <tenon/core/shape.hpp>
#include <tenon/models/cifar.hpp>
#include <tenon/models/cifar10_resnet.hpp>
#include <tenon/models/cifar_keras.hpp>
#include <tenon/models/fashion_mnist.hpp>
#include <tenon/models/keras.hpp>
#include <tenon/models/mxnet.hpp>
#include <tenon/models/naming.hpp>
#include <tenon/models/resnet_v1.hpp>
#include <tenon/models/resnet_v2.hpp>
#include <tenon/models/timm.hpp>
#include <tenon/models/variants.hpp>
#include <tenon/models/wide_resnet.hpp>
#include <tenon/topology/block.hpp>
#include <tenon/topology/channel_ops.hpp>
#include <tenon/topology/facts.hpp>
#include <tenon/topology/network.hpp>
#include <tenon/topology/replace_head.hpp>
#include <tenon/topology/training_parts.hpp>
#include <tenon/version.hpp>
// IWYU pragma: end_exports

#include <tenon/core/end_door.hpp>
