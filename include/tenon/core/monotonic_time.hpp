#pragma once
// IWYU pragma: private, include <tenon/inference.hpp>

// The time between two events, without <chrono>, which in C++20 brings calendars and streams (POSIX).

#include <ctime>

#include <tenon/core/isa.hpp>

namespace tenon::detail {
inline namespace TENON_ISA_NAMESPACE {

/// Seconds since some moment before the program began, by a clock that is never set back.
inline double monotonic_seconds() {
    timespec time{};
    ::clock_gettime(CLOCK_MONOTONIC, &time);
    return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::detail
