#pragma once
// IWYU pragma: private, include <tenon/inference.hpp>

// What no network changes can be compiled once for a whole program, by the library tenon::compiled
// (cmake/tenonNetwork.cmake), instead of in every file that uses it. The library is made of the same headers, and a
// file that is compiled for it differs in nothing but this: it declares the instances that the library defines. So
// files that are and aren't compiled for it may be linked together, and a program without the library doesn't link, as
// one with a library for another instruction set.

/// After a function template, at namespace scope: `TENON_COMPILE_ONCE(void f<void>(int));`.
#if defined(TENON_COMPILED_LIBRARY)
#define TENON_COMPILE_ONCE(...) template __VA_ARGS__
#elif defined(TENON_COMPILED)
#define TENON_COMPILE_ONCE(...) extern template __VA_ARGS__
#else
#define TENON_COMPILE_ONCE(...) static_assert(true)
#endif
