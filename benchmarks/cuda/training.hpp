// The commands of the program `gpu` that train.
#pragma once

#include "findings.hpp"

namespace gpu_check {

/// Compares training steps with the CPU's.
void compare_gradients();
/// The same on small shapes alone, for compute-sanitizer.
void compare_small_step();

/// Writes one step's inputs and results into a folder: for PyTorch.
void answer_step(const std::string& folder);

/// Measures the time of steps.
void measure_steps(const Options& options);

/// The minimum work of steps; needs no device.
void describe_steps();

}  // namespace gpu_check
