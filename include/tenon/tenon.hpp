// tenon: neural networks whose topology is a compile-time type. This header includes everything but optional
// components: image files (tenon/image.hpp), processes of MPI (tenon/mpi.hpp) and CUDA (tenon/cuda.hpp).
#pragma once

#include <tenon/core/begin_door.hpp>

// IWYU pragma: begin_exports
#include <tenon/data.hpp>
#include <tenon/distributed.hpp>
#include <tenon/inference.hpp>
#include <tenon/network.hpp>
#include <tenon/report.hpp>
#include <tenon/training.hpp>
// IWYU pragma: end_exports

#include <tenon/core/end_door.hpp>
