// Compiled once for each instruction set; PART names the one function that the main file calls.
#include <string>

#include <tenon/core/isa.hpp>

const char* PART();
const char* PART() { return std::string(tenon::isa_name) == TENON_TEST_ISA ? tenon::isa_name : nullptr; }
