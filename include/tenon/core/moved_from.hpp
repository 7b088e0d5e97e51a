#pragma once
// IWYU pragma: private, include <tenon/inference.hpp>

// The state of an object that was moved from: calling it throws tenon::Error, it does not crash.

#include <string>
#include <utility>

#include <tenon/core/error.hpp>
#include <tenon/core/isa.hpp>
#include <tenon/core/sentence.hpp>

namespace tenon::detail {
inline namespace TENON_ISA_NAMESPACE {

/// A T that becomes T{} when its object is moved from. A class with such a member needs no move operations of its own,
/// which would have to name all other members.
template <class T>
class ClearedByMove {
public:
    constexpr ClearedByMove(T value = T{}) noexcept : value_{value} {}
    constexpr ClearedByMove(const ClearedByMove&) = default;
    constexpr ClearedByMove& operator=(const ClearedByMove&) = default;
    constexpr ClearedByMove(ClearedByMove&& other) noexcept : value_{std::exchange(other.value_, T{})} {}
    constexpr ClearedByMove& operator=(ClearedByMove&& other) noexcept {
        value_ = std::exchange(other.value_, T{});
        return *this;
    }

    constexpr operator T() const noexcept { return value_; }
    constexpr ClearedByMove& operator+=(T more) noexcept {
        value_ += more;
        return *this;
    }

    friend bool operator==(const ClearedByMove&, const ClearedByMove&) = default;

private:
    T value_;
};

/// Throws tenon::Error unless an object still has its content; `what` is the word for the object: `model`.
inline void check_not_moved_from(bool has_content, const char* what) {
    if (!has_content)
        throw_error({"this ", what,
                     " was moved from and has nothing left; use the one that it was moved into, or make a new one"});
}

/// A member that remembers whether its object was moved from.
class MovedFrom {
public:
    /// Throws tenon::Error when it was.
    void check(const char* what) const { check_not_moved_from(is_whole_, what); }

private:
    ClearedByMove<bool> is_whole_{true};
};

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::detail
