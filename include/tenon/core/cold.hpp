#pragma once
// IWYU pragma: private, include <tenon/inference.hpp>

// What a program does once, and not to many numbers, is worth little of a compiler's time.

/// Before a function that a program calls once, as one that reads a file's header: it is compiled small instead of fast
/// and out of the way of other code. GCC also leaves most of its optimizations out (-Og), which takes a third to a
/// fifth of the time. Not for loops over all weights, nor for functions that programs call themselves: what leads to a
/// call of such a function is cold, too, such as all of a `main()` that loads weights and then runs a network.
#if defined(__GNUC__) && !defined(__clang__) && !defined(__CUDACC__) && defined(__OPTIMIZE__)
#define TENON_COLD [[gnu::cold, gnu::optimize("Og")]]
#else
#define TENON_COLD [[gnu::cold]]
#endif
