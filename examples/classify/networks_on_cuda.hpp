// The networks that classify runs on a GPU, as types: nvcc compiles each of them in a file of its own (CMakeLists.txt).
#pragma once

#include <tenon/network.hpp>
