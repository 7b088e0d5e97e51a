// Runs both parts of the program, and the one for AVX2 only where the machine has it. They agree but for rounding.
#include <cmath>
#include <cstdio>
#include <string>

#include "logits.hpp"

const char* isa_of_generic();
const char* isa_of_avx2();
Logits run_generic();
Logits run_avx2();

int main() {
    __builtin_cpu_init();
    const std::string first = isa_of_generic();
    const std::string second = isa_of_avx2();
    if (first != "generic" || second != "avx2") {
        std::printf("the parts run the code for %s and %s, expected generic and avx2\n", first.c_str(), second.c_str());
        return 1;
    }
    const Logits generic = run_generic();
    if (!TENON_TEST_CPU_HAS_AVX2) {
        std::puts("SKIPPED: this machine lacks AVX2, so only the baseline's part ran.");
        return 77;
    }
    const Logits avx2 = run_avx2();
    float difference = 0, largest = 0;
    for (std::size_t i = 0; i < generic.size(); ++i) {
        difference = std::fmax(difference, std::fabs(generic[i] - avx2[i]));
        largest = std::fmax(largest, std::fabs(generic[i]));
    }
    std::printf("the largest logit is %g, the parts differ by %g\n", static_cast<double>(largest),
                static_cast<double>(difference));
    return largest > 0 && difference <= 1e-5f * largest ? 0 : 1;
}
