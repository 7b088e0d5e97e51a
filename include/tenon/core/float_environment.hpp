#pragma once
// IWYU pragma: private, include <tenon/inference.hpp>

// How a thread rounds, and whether it takes tiny numbers for 0: a register of the processor that each thread has for
// itself. What several threads compute together must be computed in one environment.

#include <cstdint>

#include <tenon/core/isa.hpp>

namespace tenon::detail {
inline namespace TENON_ISA_NAMESPACE {

/// Rounding mode, flush-to-zero and denormals-are-zero of a thread: MXCSR on x86, FPCR on AArch64; nothing elsewhere.
/// A new thread has those of the thread that made it, which may be anyone's.
class FloatEnvironment {
public:
    /// The environment of this thread, now.
    static FloatEnvironment current() {
        FloatEnvironment result;
#if defined(__x86_64__) || defined(__i386__)
        constexpr std::uint64_t flags = 0x3F;  // of exceptions that occurred
        result.bits_ = __builtin_ia32_stmxcsr() & ~flags;
#elif defined(__aarch64__)
        asm volatile("mrs %0, fpcr" : "=r"(result.bits_));
#endif
        return result;
    }

    /// Makes it that of this thread.
    void apply() const {
#if defined(__x86_64__) || defined(__i386__)
        __builtin_ia32_ldmxcsr(static_cast<unsigned>(bits_));
#elif defined(__aarch64__)
        asm volatile("msr fpcr, %0" : : "r"(bits_));
#endif
    }

    friend bool operator==(const FloatEnvironment&, const FloatEnvironment&) = default;

private:
    std::uint64_t bits_ = 0;
};

/// Has this thread compute in an environment until the end of a scope.
class InFloatEnvironment {
public:
    explicit InFloatEnvironment(const FloatEnvironment& wanted)
        : before_{FloatEnvironment::current()}, is_other_{!(before_ == wanted)} {
        if (is_other_) wanted.apply();
    }
    InFloatEnvironment(const InFloatEnvironment&) = delete;
    InFloatEnvironment& operator=(const InFloatEnvironment&) = delete;
    ~InFloatEnvironment() {
        if (is_other_) before_.apply();
    }

private:
    FloatEnvironment before_;
    bool is_other_;
};

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::detail
