#pragma once
// IWYU pragma: private, include <tenon/inference.hpp>

// Mathematical functions without <cmath>, whose special functions (Bessel's, Riemann's, ...) take 9 MB and a fifteenth
// of what a compiler needs for a file that includes <tenon/inference.hpp>. They are the same: std::exp is no more than
// this.

#include <tenon/core/isa.hpp>

#if defined(__CUDACC__)
#include <cmath>
#endif

namespace tenon::detail {
inline namespace TENON_ISA_NAMESPACE {

#if defined(__CUDACC__)
using std::abs, std::ceil, std::exp, std::isfinite, std::isinf, std::isnan, std::lrint, std::sqrt;
#else
inline float abs(float x) { return __builtin_fabsf(x); }
inline double abs(double x) { return __builtin_fabs(x); }
inline double ceil(double x) { return __builtin_ceil(x); }
inline float exp(float x) { return __builtin_expf(x); }
inline double exp(double x) { return __builtin_exp(x); }
inline bool isfinite(float x) { return __builtin_isfinite(x); }
inline bool isfinite(double x) { return __builtin_isfinite(x); }
inline bool isinf(float x) { return __builtin_isinf(x); }
inline bool isinf(double x) { return __builtin_isinf(x); }
inline bool isnan(float x) { return __builtin_isnan(x); }
inline bool isnan(double x) { return __builtin_isnan(x); }
inline long lrint(float x) { return __builtin_lrintf(x); }
inline long lrint(double x) { return __builtin_lrint(x); }
inline float sqrt(float x) { return __builtin_sqrtf(x); }
inline double sqrt(double x) { return __builtin_sqrt(x); }
#endif

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::detail
