// The main function of the CUDA tests that nvcc compiled, run by the interpreter. Prints what share of the kernels'
// instructions was executed, of all kernels and of those that ran; with --coverage=N the program fails below N percent
// of the first. TENON_PTX_DETAILS=1 in the environment lists the kernels, 2 also what was not executed, 3 each
// instruction and how often warps ran it.
#define DOCTEST_CONFIG_IMPLEMENT
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <string>

#include <doctest/doctest.h>

#include "runtime.hpp"

namespace {

/// What the instructions of a kernel cost, added up.
struct Sum {
    std::size_t instructions = 0, executed = 0;
    std::uint64_t runs = 0, lanes = 0;

    void add(const Sum& other) {
        instructions += other.instructions;
        executed += other.executed;
        runs += other.runs;
        lanes += other.lanes;
    }
    double share() const {
        return 100.0 * static_cast<double>(executed) / static_cast<double>(std::max<std::size_t>(instructions, 1));
    }
};

Sum sum_of(const ptx::Kernel& kernel) {
    Sum sum;
    sum.instructions = kernel.code.size();
    for (const ptx::Cost& cost : kernel.costs) {
        sum.executed += cost.runs > 0;
        sum.runs += cost.runs;
        sum.lanes += cost.lanes;
    }
    return sum;
}

void print(const ptx::Kernel& kernel, int level) {
    std::printf("%5.1f %% of %5zu: %s\n", sum_of(kernel).share(), kernel.code.size(), kernel.demangled.c_str());
    for (std::size_t i = 0; level > 1 && i < kernel.code.size(); ++i)
        if (level > 2 || kernel.costs[i].runs == 0)
            std::printf("%12llu  %s\n", static_cast<unsigned long long>(kernel.costs[i].runs), kernel.text[i].c_str());
}

}  // namespace

int main(int argc, char** argv) {
    const int failures = doctest::Context(argc, argv).run();
    const char* const details = std::getenv("TENON_PTX_DETAILS");
    Sum all, launched;
    std::size_t kernels_launched = 0;
    // Several files may contain a kernel; any execution of it counts.
    std::map<std::string, ptx::Kernel> kernels;
    for (const ptx::Kernel* kernel : ptx::runtime_kernels()) {
        const auto [found, is_new] = kernels.try_emplace(kernel->name, *kernel);
        for (std::size_t i = 0; !is_new && i < kernel->costs.size() && i < found->second.costs.size(); ++i) {
            found->second.costs[i].runs += kernel->costs[i].runs;
            found->second.costs[i].lanes += kernel->costs[i].lanes;
        }
    }
    for (const auto& [name, kernel] : kernels) {
        const Sum sum = sum_of(kernel);
        all.add(sum);
        if (sum.executed > 0) {
            launched.add(sum);
            ++kernels_launched;
        }
        if (details) print(kernel, std::atoi(details));
    }
    std::printf(
        "PTX: %zu of %zu kernels ran, %zu of %zu instructions: %.1f %%, of the %zu of kernels that ran %.1f %%. "
        "%.1f million instructions of warps, %.1f lanes each.\n",
        kernels_launched, kernels.size(), all.executed, all.instructions, all.share(), launched.instructions,
        launched.share(), static_cast<double>(all.runs) / 1e6,
        static_cast<double>(all.lanes) / static_cast<double>(std::max<std::uint64_t>(all.runs, 1)));
    for (int i = 1; i < argc; ++i)
        if (std::strncmp(argv[i], "--coverage=", 11) == 0 && all.share() < std::atof(argv[i] + 11)) {
            std::printf("That is less than the %s %% that these tests have to execute.\n", argv[i] + 11);
            return 1;
        }
    return failures;
}
