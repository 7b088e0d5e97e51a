// The measurements that only the part of the program `gpu` compiled by nvcc can make.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include <tenon/backend/shared/precision.hpp>

namespace gpu_check {

/// TFLOP/s of cuBLASLt's product of matrices of 8192 x 8192. Throws tenon::Error when there is no cuBLASLt.
double measure_product(tenon::Precision precision);

/// The libraries that may compute convolutions: a name, and a version and file or why it is missing.
std::vector<std::pair<std::string, std::string>> libraries();

/// The device as cuDNN describes it, JSON for tests/backend/cuda/cudnn; empty when the build found no headers of cuDNN.
/// Throws tenon::Error when there is no library.
std::string device_description();

}  // namespace gpu_check
