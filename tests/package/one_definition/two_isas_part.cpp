// Compiled once for each instruction set; PART and PART_ISA are the two functions that the main file calls.
#include "network.hpp"

const char* PART_ISA();
Logits PART();

const char* PART_ISA() { return tenon::detail::isa_name; }
Logits PART() { return run_shared_network(); }
