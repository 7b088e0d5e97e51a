// The door of the backend CUDA for files that nvcc compiles: include it in the .cu file that uses or instantiates what
// runs, and where it is wanted what trains, on the device.
//
//     #include <tenon/cuda.hpp>
//     #include "my_network.hpp"
//     template class tenon::cuda::Engine<MyNetwork, tenon::Precision::float32>;          // a Model; what evaluates
//     template class tenon::cuda::TrainingDevice<MyNetwork, tenon::Precision::float32>;  // a Trainer's device part
//
// A .cu file sees all of the library but the CPU's kernels, so <tenon/tenon.hpp> is not for it. Other compilers see
// nothing here; <tenon/inference.hpp> and <tenon/training.hpp> declare for them what this file defines.
#pragma once

#include <tenon/core/begin_door.hpp>

// IWYU pragma: begin_exports
#include <tenon/engine/cuda_definitions.hpp>
// IWYU pragma: end_exports

#include <tenon/core/end_door.hpp>
