// The component tenon::mpi: processes on one machine or many. Needs an MPI: Open MPI or MPICH.
#pragma once

// IWYU pragma: begin_exports
#include <tenon/distributed.hpp>
#include <tenon/distributed/mpi.hpp>
// IWYU pragma: end_exports
