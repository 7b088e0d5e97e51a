#include <cstdio>

#include "same_isa.hpp"

int main() {
    const std::string here = to_string(shape);
    const std::string there = other_file_shape();
    std::printf("%s %s\n", here.c_str(), there.c_str());
    return here == there ? 0 : 1;
}
