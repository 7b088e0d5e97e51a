// Jobs of MPI, with each implementation that is there: processes end with the bits of one, also when some of them die
// and the run is resumed.
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "../support.hpp"
#include "world_run.hpp"

namespace {
using namespace tenon;
using tenon_test::contains;
using tenon_test::result_of_run;
using tenon_test::TemporaryFolder;

/// An MPI: what starts processes, and rank.cpp compiled for it.
struct Implementation {
    std::string mpiexec, program;
};
std::vector<Implementation> implementations() {
    std::vector<Implementation> found;
#ifdef TENON_TEST_MPIEXEC
    found.push_back({TENON_TEST_MPIEXEC, TENON_TEST_RANK});
#endif
#ifdef TENON_TEST_MPICH
    found.push_back({TENON_TEST_MPICH, TENON_TEST_MPICH_RANK});
#endif
    return found;
}

/// What a job writes to the standard error; and, in `result`, what rank 0 found.
struct Job {
    int status = 0;
    std::string said, result;
    double seconds = 0;
};
Job run_job(const Implementation& mpi, int ranks, const std::string& settings = {}) {
    const TemporaryFolder folder;
    const std::string result = folder.file("result"), said = folder.file("said");
    // All MPIs, more ranks than cores, as root in a container: whatever doesn't apply is ignored.
    std::string command =
        "env OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMPI_MCA_rmaps_base_oversubscribe=1 "
        "OMPI_MCA_hwloc_base_binding_policy=none OMPI_MCA_btl_vader_single_copy_mechanism=none "
        "PRTE_MCA_rmaps_default_mapping_policy=:oversubscribe PRTE_MCA_hwloc_default_binding_policy=none "
        "TENON_TEST_RESULT=";
    command += result;
    command += " " + settings + " " + mpi.mpiexec + " -n " + std::to_string(ranks) + " " + mpi.program + " >" + said;
    command += " 2>&1";
    Job job;
    const auto start = std::chrono::steady_clock::now();
    job.status = std::system(command.c_str());
    job.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    job.said = tenon_test::read_file(said);
    if (std::filesystem::exists(result)) job.result = tenon_test::read_file(result);
    return job;
}

std::string alone(const tenon_test::RunOptions& options) {
    distributed::Alone world;
    return result_of_run(world, options);
}

TEST_CASE("processes of MPI end with the bits of one") {
    const std::string of_four = alone({}), of_eight = alone({.shards = 8});
    for (const Implementation& mpi : implementations()) {
        CAPTURE(mpi.mpiexec);
        for (const int ranks : {1, 2, 4, 8}) {
            if (mpi.program != implementations().front().program && ranks % 4 != 0) continue;  // one is tested fully
            CAPTURE(ranks);
            const Job job = run_job(mpi, ranks, ranks == 8 ? "TENON_TEST_SHARDS=8" : "");
            CAPTURE(job.said);
            CHECK(job.status == 0);
            CHECK(job.result == (ranks == 8 ? of_eight : of_four));
        }
    }
}

TEST_CASE("an MPI job whose rank dies ends, and resumes with other numbers of processes") {
    const std::string expected = alone({});
    for (const Implementation& mpi : implementations())
        for (const std::string death : {"kill", "kill the first", "throw", "seed"}) {
            CAPTURE(mpi.mpiexec);
            CAPTURE(death);
            const TemporaryFolder folder;
            const std::string checkpoint = folder.file("run.checkpoint");
            const std::string path = "TENON_TEST_CHECKPOINT=" + checkpoint;
            const Job job = run_job(mpi, 4, "TENON_TEST_DEATH='" + death + "' " + path);
            CAPTURE(job.said);
            CHECK(job.status != 0);
            CHECK(job.seconds < 10);
            CHECK(job.result.empty());
            // MPICH kills the others at once, before they can say which rank has ended.
            if (death.starts_with("kill") && !contains(job.said, "CLEANING UP REMAINING PROCESSES"))
                CHECK(contains(job.said, (death == "kill" ? "rank 1" : "rank 0") +
                                             std::string(" of 4 failed: its process has ended, or its machine does "
                                                         "not answer; the last checkpoint: ") +
                                             checkpoint));
            if (death == "throw")
                CHECK(contains(job.said, "rank 1 of 4 failed: the disk is full; the last checkpoint: " + checkpoint));
            if (death == "seed")
                CHECK(contains(job.said, "rank 1 of 4 differs from rank 0: it has seed 4, expected seed 3"));
            if (death != "kill") continue;
            run_job(mpi, 2, "TENON_TEST_STEPS=8 " + path);
            const Job resumed = run_job(mpi, 1, path);
            CAPTURE(resumed.said);
            CHECK(resumed.result == expected);
        }
}

}  // namespace
