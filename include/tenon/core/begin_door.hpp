// Each door includes this first and core/end_door.hpp last, so neither has a #pragma once.
// IWYU pragma: private, include <tenon/network.hpp>
//
// What a compiler must be told, checked before anything else; and names that other libraries' macros take, which a file
// that includes a door after such a library gets back at the door's end. The macros of windows.h (near, far, small,
// min), complex.h (I), Apple's AssertMacros.h (check, verify), Arduino (round, bit, F), ncurses (clear, move), Qt
// (emit, slots), R (error, length) and X11 (None, Status) are such. (test: tests/compiles/tenon.cpp)

// A sentence, and then nothing else: without the #include a compiler would go on and find hundreds of errors.
#if !defined(__CUDACC__) && defined(__cplusplus) && __cplusplus < 202002L
#error "tenon needs C++20: compile with -std=c++20 or newer"
#include "stop_after_the_error_above"
#endif
#if !defined(__CUDA_ARCH__) && !defined(__cpp_exceptions) && !defined(__EXCEPTIONS)
#error "tenon reports errors by exceptions: compile without -fno-exceptions"
#include "stop_after_the_error_above"
#endif
// With these flags a compiler assumes that NaN doesn't exist, and drops every check for it: a diverged training would
// be saved as if it were none. They also let it reorder sums, so the laws about equal bits would not hold. Clang
// doesn't say when it only reorders.
#if defined(__FAST_MATH__) || (defined(__FINITE_MATH_ONLY__) && __FINITE_MATH_ONLY__) || defined(__ASSOCIATIVE_MATH__)
#error "tenon relies on NaN and on the order of sums: compile without -ffast-math, -Ofast, -ffinite-math-only and such"
#include "stop_after_the_error_above"
#endif

#pragma push_macro("abs")
#undef abs
#pragma push_macro("add")
#undef add
#pragma push_macro("Always")
#undef Always
#pragma push_macro("bit")
#undef bit
#pragma push_macro("Bool")
#undef Bool
#pragma push_macro("check")
#undef check
#pragma push_macro("check_noerr")
#undef check_noerr
#pragma push_macro("clear")
#undef clear
#pragma push_macro("copy")
#undef copy
#pragma push_macro("debug_string")
#undef debug_string
#pragma push_macro("dot")
#undef dot
#pragma push_macro("emit")
#undef emit
#pragma push_macro("erase")
#undef erase
#pragma push_macro("error")
#undef error
#pragma push_macro("even")
#undef even
#pragma push_macro("F")
#undef F
#pragma push_macro("far")
#undef far
#pragma push_macro("fill")
#undef fill
#pragma push_macro("hyper")
#undef hyper
#pragma push_macro("I")
#undef I
#pragma push_macro("interface")
#undef interface
#pragma push_macro("J")
#undef J
#pragma push_macro("last")
#undef last
#pragma push_macro("length")
#undef length
#pragma push_macro("max")
#undef max
#pragma push_macro("mean")
#undef mean
#pragma push_macro("min")
#undef min
#pragma push_macro("move")
#undef move
#pragma push_macro("near")
#undef near
#pragma push_macro("None")
#undef None
#pragma push_macro("norm")
#undef norm
#pragma push_macro("odd")
#undef odd
#pragma push_macro("pi")
#undef pi
#pragma push_macro("R")
#undef R
#pragma push_macro("remove")
#undef remove
#pragma push_macro("require")
#undef require
#pragma push_macro("round")
#undef round
#pragma push_macro("S")
#undef S
#pragma push_macro("scale")
#undef scale
#pragma push_macro("signals")
#undef signals
#pragma push_macro("slots")
#undef slots
#pragma push_macro("small")
#undef small
#pragma push_macro("status")
#undef status
#pragma push_macro("Status")
#undef Status
#pragma push_macro("step")
#undef step
#pragma push_macro("Success")
#undef Success
#pragma push_macro("sum")
#undef sum
#pragma push_macro("swap")
#undef swap
#pragma push_macro("True")
#undef True
#pragma push_macro("verify")
#undef verify
