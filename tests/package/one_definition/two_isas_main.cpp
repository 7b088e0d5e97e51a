// Runs both parts of the program, and the one for AVX2 only where the machine has it.
#include <cstdio>
#include <string>

const char* classify_generic();
const char* classify_avx2();

int main() {
    __builtin_cpu_init();
    const char* generic = classify_generic();
    if (generic == nullptr || std::string(generic) != "generic") {
        std::puts("the file compiled for the baseline doesn't run the baseline's code");
        return 1;
    }
    if (!TENON_TEST_CPU_HAS_AVX2) {
        std::puts("SKIPPED: this machine lacks AVX2, so only the baseline's part ran.");
        return 77;
    }
    const char* avx2 = classify_avx2();
    if (avx2 == nullptr || std::string(avx2) != "avx2") {
        std::puts("the file compiled for AVX2 doesn't run AVX2 code");
        return 1;
    }
}
