// Running networks: models on a backend, their weights and the files that weights come in.
#pragma once

#include <tenon/core/begin_door.hpp>

// IWYU pragma: begin_exports
#include <tenon/engine/cpu.hpp>
#include <tenon/engine/cpu_with.hpp>
#include <tenon/engine/cuda.hpp>
#include <tenon/engine/reference.hpp>
#include <tenon/io/read_weights_info.hpp>
#include <tenon/io/safetensors.hpp>
#include <tenon/io/safetensors_writer.hpp>
#include <tenon/io/tensor_file.hpp>
#include <tenon/network.hpp>
#include <tenon/runtime/model.hpp>
#include <tenon/runtime/softmax.hpp>
#include <tenon/weights/keras_to_listing.hpp>
#include <tenon/weights/parameters.hpp>
#include <tenon/weights/spare_classes.hpp>
// IWYU pragma: end_exports

#include <tenon/core/end_door.hpp>
