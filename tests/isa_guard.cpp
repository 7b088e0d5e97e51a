// Linked into a test program whose files are compiled for an instruction set: ends it as skipped where the machine
// lacks that set. Runs before any other code of the program, and is itself compiled for the baseline.
#include <cstdio>

#include <unistd.h>

namespace {

bool machine_has_isa() {
    __builtin_cpu_init();
    return TENON_TEST_CPU_HAS_ISA;
}

__attribute__((constructor(101))) void skip_without_isa() {
    if (machine_has_isa()) return;
    std::fputs("SKIPPED: this machine lacks " TENON_TEST_ISA ", so nothing of this program ran.\n", stderr);
    std::fflush(stderr);
    _exit(77);
}

}  // namespace
