#pragma once
// IWYU pragma: private, include <tenon/mpi.hpp>

// Mpi: ranks that are processes, on one machine or many, started by mpirun or a cluster's own command.

#include <chrono>
#include <climits>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <optional>
#include <span>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include <mpi.h>

#include <tenon/core/index.hpp>
#include <tenon/distributed/watch.hpp>
#include <tenon/distributed/world.hpp>

namespace tenon::distributed {
inline namespace TENON_ISA_NAMESPACE {

/// All processes of an MPI job. Make one at the beginning of main, on the thread that trains:
///
///     tenon::distributed::Mpi world{argc, argv};
///     tenon::Trainer<Net> trainer{optimizer, {.batch_size = 256, .world = world, .shards = 8}};
///
/// When it is destroyed by an exception, `fail` is called, or a process ends without having destroyed it, all processes
/// of the job end, and a sentence says which rank failed and which checkpoint is the last (test:
/// tests/distributed/jobs_test.cpp).
class Mpi {
public:
    /// Throws tenon::Error when MPI is already initialized, or does not support threads.
    Mpi(int& argc, char**& argv) {
        int begun = 0, support = 0;
        MPI_Initialized(&begun);
        if (begun != 0) throw Error("expected MPI to be initialized by tenon, it already is");
        MPI_Init_thread(&argc, &argv, MPI_THREAD_FUNNELED, &support);
        if (support < MPI_THREAD_FUNNELED) {
            MPI_Finalize();
            throw Error(
                "expected an MPI that supports programs with threads (MPI_THREAD_FUNNELED), found one that doesn't");
        }
        MPI_Comm_dup(MPI_COMM_WORLD, &all_);
        MPI_Comm_rank(all_, &rank_);
        MPI_Comm_size(all_, &size_);
        counts_.resize(detail::index(size_));
        places_.resize(counts_.size());
        watch_.emplace(World{*this});
    }
    Mpi(const Mpi&) = delete;
    Mpi& operator=(const Mpi&) = delete;
    ~Mpi() {
        watch_->leave();
        // The other ranks may wait for this one, so an exception ends them, too.
        if (std::uncaught_exceptions() > exceptions_) abort();
        MPI_Comm_free(&all_);
        MPI_Finalize();
    }

    /// Whether this process was started by mpirun, mpiexec or Slurm's srun, and so may have others to work with.
    static bool is_launched() {
        for (const char* name : {"OMPI_COMM_WORLD_SIZE", "PMIX_RANK", "PMI_RANK", "PMI_SIZE"})
            if (std::getenv(name) != nullptr) return true;
        return false;
    }

    int rank() const { return rank_; }
    int size() const { return size_; }
    /// How many of the processes are on this machine and share its cores. Called by all ranks.
    int ranks_on_this_machine() {
        MPI_Comm here = MPI_COMM_NULL;
        int count = 1;
        MPI_Comm_split_type(all_, MPI_COMM_TYPE_SHARED, rank_, MPI_INFO_NULL, &here);
        MPI_Comm_size(here, &count);
        MPI_Comm_free(&here);
        return count;
    }
    void broadcast(std::span<std::byte> bytes, int root) {
        constexpr std::size_t most = std::size_t{1} << 30;  // MPI counts in int
        for (; bytes.size() > most; bytes = bytes.subspan(most))
            MPI_Bcast(bytes.data(), static_cast<int>(most), MPI_BYTE, root, all_);
        MPI_Bcast(bytes.data(), static_cast<int>(bytes.size()), MPI_BYTE, root, all_);
    }
    /// Throws tenon::Error for more than 2 GiB per rank.
    void all_gather(std::span<const std::byte> sent, std::span<std::byte> received) {
        const int count = checked_count(sent.size());
        const bool is_in_place = sent.data() == received.data() + sent.size() * detail::index(rank_);
        MPI_Allgather(is_in_place ? MPI_IN_PLACE : sent.data(), count, MPI_BYTE, received.data(), count, MPI_BYTE,
                      all_);
    }
    /// Throws tenon::Error for more than 2 GiB of all ranks.
    void all_to_all(std::span<const std::byte> sent, std::span<std::byte> received) {
        const int count = checked_count(sent.size() / detail::index(size_));
        checked_count(sent.size());
        for (int rank = 0; rank < size_; ++rank) {
            counts_[detail::index(rank)] = rank == rank_ ? 0 : count;
            places_[detail::index(rank)] = rank * count;
        }
        MPI_Alltoallv(sent.data(), counts_.data(), places_.data(), MPI_BYTE, received.data(), counts_.data(),
                      places_.data(), MPI_BYTE, all_);
    }
    void barrier() { MPI_Barrier(all_); }
    /// What to resume from: said if the process of another rank ends, which ends all.
    void remember_checkpoint(const std::string& path) { watch_->remember_checkpoint(path); }
    /// Says on the standard error who failed and why, and ends all processes of the job.
    void fail(const std::string& reason) {
        if (size_ > 1) {
            watch_->leave();
            const std::string line =
                "rank " + std::to_string(rank_) + " of " + std::to_string(size_) + " failed: " + reason + "\n";
            std::fflush(stdout);
            std::fputs(line.c_str(), stderr);
            std::fflush(stderr);
            abort();
        }
    }

private:
    /// Ends the job. MPI_Abort may wait forever where others have aborted at the same time (MPICH 4.0 with
    /// -disable-auto-cleanup), so this process ends after 5 seconds in any case.
    void abort() {
        try {
            std::thread{[] {
                std::this_thread::sleep_for(std::chrono::seconds{5});
                std::_Exit(EXIT_FAILURE);
            }}.detach();
        } catch (const std::system_error&) {  // there are no more threads: MPI_Abort alone has to do
        }
        MPI_Abort(all_, EXIT_FAILURE);
    }
    static int checked_count(std::size_t bytes) {
        if (bytes > detail::index(INT_MAX))
            throw Error("MPI sends at most 2 GiB at once, found " + std::to_string(bytes) + " bytes");
        return static_cast<int>(bytes);
    }

    MPI_Comm all_ = MPI_COMM_NULL;
    int rank_ = 0, size_ = 1;
    std::vector<int> counts_, places_;  ///< of what all_to_all sends
    int exceptions_ = std::uncaught_exceptions();
    std::optional<detail::Watch> watch_;
};

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::distributed
