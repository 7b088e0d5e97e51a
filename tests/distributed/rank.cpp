// A rank of the MPI jobs that jobs_test.cpp starts. It trains, dies on demand, and writes what rank 0 found to a file.
#include <csignal>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <fstream>
#include <string>

#include <tenon/mpi.hpp>

#include "world_run.hpp"

namespace {
using namespace tenon;

std::string setting(const char* name) {
    const char* value = std::getenv(name);
    return value ? value : "";
}

struct Dying : Callback {
    void on_step(const StepReport& report, TrainerControl& trainer) override {
        const std::string death = setting("TENON_TEST_DEATH");
        const int victim = death == "kill the first" ? 0 : 1;
        if (trainer.world().rank() != victim || report.step != 5) return;
        if (death.starts_with("kill")) std::raise(SIGKILL);
        if (death == "throw") throw Error("the disk is full");
    }
};

}  // namespace

int main(int argc, char** argv) {
    distributed::Mpi world{argc, argv};
    Dying dying;
    tenon_test::RunOptions options{.checkpoint = setting("TENON_TEST_CHECKPOINT"),
                                   .other_seed = setting("TENON_TEST_DEATH") == "seed",
                                   .callback = &dying};
    if (const std::string shards = setting("TENON_TEST_SHARDS"); !shards.empty()) options.shards = std::stoi(shards);
    if (const std::string epochs = setting("TENON_TEST_EPOCHS"); !epochs.empty()) options.epochs = std::stoi(epochs);
    if (const std::string steps = setting("TENON_TEST_STEPS"); !steps.empty()) options.steps = std::stol(steps);
    options.resume = !options.checkpoint.empty() && std::filesystem::exists(options.checkpoint);
    try {
        const std::string result = tenon_test::result_of_run(world, options);
        if (world.rank() == 0) std::ofstream(setting("TENON_TEST_RESULT"), std::ios::binary) << result;
        return 0;
    } catch (const std::exception& error) {
        world.fail(error.what());
        return 1;
    }
}
