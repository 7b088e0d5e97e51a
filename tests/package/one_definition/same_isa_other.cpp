#include "same_isa.hpp"

std::string other_file_shape() { return to_string(shape); }
