#pragma once
// IWYU pragma: private, include <tenon/inference.hpp>

// What a program does once, and not to many numbers, is worth little of a compiler's time.

/// Before a function that a program calls once, as one that reads a file's header: GCC leaves most of its optimizations
/// out (-Og), which takes a third to a fifth of the time. Not for loops over all weights or pixels.
#if defined(__GNUC__) && !defined(__clang__) && !defined(__CUDACC__) && defined(__OPTIMIZE__)
#define TENON_RUNS_ONCE [[gnu::optimize("Og")]]
#else
#define TENON_RUNS_ONCE
#endif

/// The same, and out of the way of other code; Clang makes it small instead of fast. Not for functions that programs
/// call themselves: what leads to a call of such a function is cold, too, such as all of a `main()` that loads weights
/// and then runs a network.
#define TENON_COLD [[gnu::cold]] TENON_RUNS_ONCE
