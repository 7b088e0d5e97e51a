// The component tenon::mpi: processes on one machine or many. Needs an MPI: Open MPI or MPICH.
#pragma once

#include <tenon/core/begin_door.hpp>

// IWYU pragma: begin_exports
#include <tenon/distributed.hpp>
#include <tenon/distributed/mpi.hpp>
// IWYU pragma: end_exports

#include <tenon/core/end_door.hpp>
