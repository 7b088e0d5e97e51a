#pragma once
// IWYU pragma: private, include <tenon/inference.hpp>

// An object that one thread at a time may call says so when a second one does, before they write the same memory.

#include <atomic>
#include <string>

#include <tenon/core/error.hpp>
#include <tenon/core/isa.hpp>
#include <tenon/core/sentence.hpp>

namespace tenon::detail {
inline namespace TENON_ISA_NAMESPACE {

/// A member that knows whether its object is in use. An object that is moved is in nobody's.
class ExclusiveUse {
public:
    ExclusiveUse() = default;
    ExclusiveUse(ExclusiveUse&&) noexcept {}
    ExclusiveUse& operator=(ExclusiveUse&&) noexcept { return *this; }

    /// In use until the end of a scope.
    class Scope {
    public:
        /// Throws tenon::Error when another thread is in one.
        Scope(ExclusiveUse& use, const char* what) : use_{use} {
            if (use_.is_used_.exchange(true, std::memory_order_acquire))
                throw_error({"this ", what, " is being called by another thread; a ", what,
                             " runs one call at a time, so give each thread one of its own or let them take turns"});
        }
        Scope(const Scope&) = delete;
        Scope& operator=(const Scope&) = delete;
        ~Scope() { use_.is_used_.store(false, std::memory_order_release); }

    private:
        ExclusiveUse& use_;
    };

private:
    std::atomic<bool> is_used_{false};
};

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::detail
