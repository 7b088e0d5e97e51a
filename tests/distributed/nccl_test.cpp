// Ranks whose bytes NCCL moves, with doubles of the driver and of NCCL that CMake builds: no device is needed.
#include <string>
#include <vector>

#include <dlfcn.h>
#include <doctest/doctest.h>

#include <tenon/distributed.hpp>

#include "../support.hpp"
#include "world_run.hpp"

namespace {
using namespace tenon;

/// Loads the doubles, so that the loader finds them by the names of what they stand for.
void load_doubles() {
    REQUIRE(dlopen(TENON_TEST_DRIVER_DOUBLE, RTLD_NOW | RTLD_GLOBAL) != nullptr);
    REQUIRE(dlopen(TENON_TEST_NCCL_DOUBLE, RTLD_NOW | RTLD_GLOBAL) != nullptr);
}

TEST_CASE("GPUs that NCCL connects train to the bits of one process") {
    load_doubles();
    distributed::Alone alone;
    const std::string expected = tenon_test::result_of_run(alone, {});
    std::vector<std::string> results(4);
    distributed::Threads<4>{}.run([&](auto& threads) {
        distributed::Nccl world{threads};
        results[static_cast<std::size_t>(world.rank())] = tenon_test::result_of_run(world, {});
    });
    for (const std::string& result : results) CHECK(result == expected);
}

TEST_CASE("a rank without a GPU says so, and ends the others") {
    load_doubles();
    CHECK(tenon_test::error_of([] {
              distributed::Threads<2>{}.run([](auto& threads) { distributed::Nccl world{threads, threads.rank()}; });
          }) == "CUDA's driver could not find GPU 1: error 101");
}

}  // namespace
