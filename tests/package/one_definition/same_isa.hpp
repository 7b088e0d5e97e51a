// What two files of one program share: a network, and functions of one file that use it.
#pragma once

#include <string>

#include <tenon/core/shape.hpp>

inline constexpr tenon::Shape shape{3, 32, 32};

std::string other_file_shape();
