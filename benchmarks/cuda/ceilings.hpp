// What only nvcc's part of the program `gpu` can measure.
#pragma once

#include <string>

#include <tenon/backend/cuda/precision.hpp>

namespace gpu_check {

/// TFLOP/s of cuBLASLt's product of matrices of 8192 x 8192. Throws tenon::Error where there is no cuBLASLt.
double measure_product(tenon::Precision precision);

/// The device as cuDNN describes it, JSON for tests/cudnn; empty where the build found no headers of cuDNN. Throws
/// tenon::Error where there is no library.
std::string device_description();

}  // namespace gpu_check
