// How many bytes a thread asks memory for without a branch between the loads: what keeps kernels that only copy and add
// from waiting for each load. Where a load and the conversion of what it loaded are alone in a branch, the thread waits
// before the next one. Read off the PTX that nvcc made of the networks' kernels.
#include <algorithm>
#include <regex>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "runtime.hpp"

namespace {

/// The bytes of a load of numbers of 16 bits from global memory; 0 for other instructions.
int bytes_loaded(const std::string& instruction) {
    static const std::regex load(R"(^ld\.global(?:\.nc)?\.(?:v([24])\.)?[bu](16|32)\b)");
    std::smatch match;
    if (!std::regex_search(instruction, match, load)) return 0;
    return (match[1].matched ? std::stoi(match[1]) : 1) * std::stoi(match[2]) / 8;
}

/// The most bytes that are loaded between two places where branches begin or end, in the kernel of bfloat16 whose name
/// contains `name`.
int bytes_at_once(const std::string& name) {
    using Kind = ptx::Instruction::Kind;
    for (const ptx::Kernel* kernel : ptx::runtime_kernels()) {
        if (kernel->name.find(name) == std::string::npos) continue;
        std::vector<bool> begins(kernel->code.size() + 1);
        for (std::size_t i = 0; i < kernel->code.size(); ++i) {
            if (kernel->code[i].kind == Kind::lanes) continue;
            begins[i + 1] = true;
            if (kernel->code[i].target >= 0) begins[static_cast<std::size_t>(kernel->code[i].target)] = true;
        }
        int sum = 0, most = 0;
        for (std::size_t i = 0; i < kernel->code.size(); ++i) {
            if (begins[i]) sum = 0;
            sum += bytes_loaded(kernel->text[i]);
            most = std::max(most, sum);
        }
        return most;
    }
    FAIL("there is no kernel " << name);
    return 0;
}

TEST_CASE("costs: bytes that a thread asks for at once") {
    // Four pixels of four channels of 16 bits; the gradient of a norm reads two maps.
    CHECK(bytes_at_once("16StatisticsKernelINS0_8BFloat16ELi4E") == 4 * 8);
    CHECK(bytes_at_once("16NormGradientSumsINS0_8BFloat16EEELi4E") == 4 * 2 * 8);
    CHECK(bytes_at_once("16BiasGradientSumsINS0_8BFloat16EEELi4E") == 4 * 8);
    // A convolution's residual: four pixels of eight channels.
    const std::string conv = "ConvSpecELNS_9PrecisionE2ELi";
    CHECK(bytes_at_once(conv + "128ELi128ELi64ELi32ELi4ELi64ELi8ELi8") == 4 * 16);
    CHECK(bytes_at_once(conv + "64ELi64ELi32ELi32ELi4ELi64ELi8ELi8") == 4 * 16);
    // Maps of enough channels.
    CHECK(bytes_at_once("13PointwiseBodyINS0_8BFloat16ELi8E") == 16);
    CHECK(bytes_at_once("16NormGradientBodyINS0_8BFloat16ELi8E") == 2 * 16);
}

}  // namespace
