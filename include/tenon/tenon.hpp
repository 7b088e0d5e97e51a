// tenon: neural networks whose topology is a compile-time type. This header includes everything but optional
// components.
#pragma once

// IWYU pragma: begin_exports
#include <tenon/data/cifar.hpp>
#include <tenon/data/loader.hpp>
#include <tenon/data/split.hpp>
#include <tenon/io/safetensors.hpp>
#include <tenon/io/safetensors_writer.hpp>
#include <tenon/models/cifar.hpp>
#include <tenon/models/cifar10_resnet.hpp>
#include <tenon/models/cifar_keras.hpp>
#include <tenon/models/fashion_mnist.hpp>
#include <tenon/models/keras.hpp>
#include <tenon/models/mxnet.hpp>
#include <tenon/models/resnet_v1.hpp>
#include <tenon/models/resnet_v2.hpp>
#include <tenon/models/timm.hpp>
#include <tenon/models/variants.hpp>
#include <tenon/models/wide_resnet.hpp>
#include <tenon/report/dot.hpp>
#include <tenon/report/onnx.hpp>
#include <tenon/report/profile.hpp>
#include <tenon/report/summary.hpp>
#include <tenon/report/training_plots.hpp>
#include <tenon/runtime/cpu_engine.hpp>
#include <tenon/runtime/keras_to_listing.hpp>
#include <tenon/runtime/model.hpp>
#include <tenon/runtime/parameters.hpp>
#include <tenon/runtime/reference_engine.hpp>
#include <tenon/runtime/spare_classes.hpp>
#include <tenon/topology/block.hpp>
#include <tenon/topology/facts.hpp>
#include <tenon/topology/gating.hpp>
#include <tenon/topology/network.hpp>
#include <tenon/topology/replace_head.hpp>
#include <tenon/topology/training_parts.hpp>
#include <tenon/train/adamw.hpp>
#include <tenon/train/best_weights.hpp>
#include <tenon/train/feature_cache.hpp>
#include <tenon/train/log_files.hpp>
#include <tenon/train/periodic_checkpoint.hpp>
#include <tenon/train/progress_bar.hpp>
#include <tenon/train/sgd.hpp>
#include <tenon/train/trainer.hpp>
#include <tenon/version.hpp>
// IWYU pragma: end_exports
