#pragma once
// IWYU pragma: private, include <tenon/inference.hpp>

// std::min, std::max, std::copy, std::fill and std::equal. In C++20 <algorithm> has ranges, too, which take 6 MB and a
// fifteenth of what a compiler needs for a file that includes <tenon/inference.hpp>; the library of GCC has these
// functions where its containers are.

#include <vector>

#if !defined(__GLIBCXX__)
#include <algorithm>
#endif
