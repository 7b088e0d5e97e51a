// The commands of the program `gpu` that train.
#pragma once

#include "findings.hpp"

namespace gpu_check {

/// Training steps beside the CPU's.
void compare_gradients();
/// The same on small shapes alone, for compute-sanitizer.
void compare_small_step();

/// What one step began with and what it made, into a folder: for PyTorch.
void answer_step(const std::string& folder);

/// How long steps take.
void measure_steps(const Options& options);

/// What steps must at least do; needs no device.
void describe_steps();

}  // namespace gpu_check
