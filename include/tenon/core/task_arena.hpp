#pragma once
// IWYU pragma: private, include <tenon/inference.hpp>

// oneTBB's task arena, without the headers of intrinsics.
//
// oneTBB includes <immintrin.h>, 40,000 lines with GCC 12, for one instruction: the pause of a waiting loop. Here it
// finds that header's include guard set and the instruction by the compilers' own name. Files that include
// <immintrin.h> before or after see it whole: the guard is as it was afterwards. (test: tests/compiles/user.cpp)

#if defined(__x86_64__) && !defined(_IMMINTRIN_H_INCLUDED) && !defined(__IMMINTRIN_H)
// NOLINTBEGIN(bugprone-reserved-identifier,readability-identifier-naming): the names of others are the point
#define TENON_HIDES_INTRINSICS
#pragma push_macro("_mm_pause")
#undef _mm_pause
#define _mm_pause __builtin_ia32_pause
#if defined(__clang__)
#define __IMMINTRIN_H
#else
#define _IMMINTRIN_H_INCLUDED
#endif
// NOLINTEND(bugprone-reserved-identifier,readability-identifier-naming)
#endif

#include <tbb/task_arena.h>

#if defined(TENON_HIDES_INTRINSICS)
#undef TENON_HIDES_INTRINSICS
#undef __IMMINTRIN_H
#undef _IMMINTRIN_H_INCLUDED
#pragma pop_macro("_mm_pause")
#endif
