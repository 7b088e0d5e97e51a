// The processes that run a program together, where it was started by mpirun or a cluster's command.
#pragma once

#include <algorithm>
#include <cstdio>
#include <optional>
#include <string>

#include <tenon/distributed.hpp>

#ifdef TENON_EXAMPLE_MPI
#include <fcntl.h>
#include <unistd.h>

#include <tenon/mpi.hpp>
#endif

/// Begins and ends MPI, where the program was started by it; else the program is alone. Only rank 0 has a standard
/// output.
class ProgramWorld {
public:
    ProgramWorld([[maybe_unused]] int& argc, [[maybe_unused]] char**& argv) {
#ifdef TENON_EXAMPLE_MPI
        if (!tenon::distributed::Mpi::is_launched()) return;
        mpi_.emplace(argc, argv);
        world_ = *mpi_;
        mates_ = mpi_->ranks_on_this_machine();
        if (mpi_->rank() == 0) return;
        const int nowhere = ::open("/dev/null", O_WRONLY | O_CLOEXEC);
        if (nowhere >= 0) ::dup2(nowhere, STDOUT_FILENO);
#endif
    }

    tenon::distributed::World world() const { return world_; }
    /// Processes on this machine, which share its cores.
    int mates() const { return mates_; }

private:
#ifdef TENON_EXAMPLE_MPI
    std::optional<tenon::distributed::Mpi> mpi_;
#endif
    tenon::distributed::World world_;
    int mates_ = 1;
};
