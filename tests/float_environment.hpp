// A thread's rounding, and whether it takes tiny numbers for 0, until the end of a scope.
#pragma once

#include <cfenv>

#include <tenon/core/float_environment.hpp>

namespace tenon_test {

/// Sets rounding, and on x86 flush-to-zero and denormals-are-zero, until the end of a scope.
class Environment {
public:
    Environment(int rounding, bool flush)
        : before_{std::fegetround()}, whole_{tenon::detail::FloatEnvironment::current()} {
        std::fesetround(rounding);
#if defined(__x86_64__)
        if (flush) __builtin_ia32_ldmxcsr(__builtin_ia32_stmxcsr() | 0x8040U);
#else
        static_cast<void>(flush);
#endif
    }
    ~Environment() {
        std::fesetround(before_);
        whole_.apply();
    }
    Environment(const Environment&) = delete;
    Environment& operator=(const Environment&) = delete;

private:
    int before_;
    tenon::detail::FloatEnvironment whole_;
};

}  // namespace tenon_test
