#pragma once
// IWYU pragma: private, include <tenon/inference.hpp>

// A function that is passed by reference: what takes one is compiled once, not once for each lambda.

#include <concepts>
#include <memory>
#include <type_traits>

#include <tenon/core/isa.hpp>

namespace tenon::detail {
inline namespace TENON_ISA_NAMESPACE {

template <class Signature>
class FunctionRef;

/// Refers to something that can be called; valid while that exists. A call costs one jump through a pointer, so it is
/// for functions that do much more than that.
template <class Result, class... Arguments>
class FunctionRef<Result(Arguments...)> {
public:
    /// Refers to nothing, and must not be called.
    FunctionRef() = default;

    template <class F>
    requires(!std::same_as<F, FunctionRef>) && std::is_invocable_r_v<Result, const F&, Arguments...>
        // NOLINTNEXTLINE(google-explicit-constructor): a parameter's type, for arguments that are lambdas
        FunctionRef(const F& function)
        : object_{std::addressof(function)},
    call_{[](const void* object, Arguments... arguments) -> Result {
        return (*static_cast<const F*>(object))(arguments...);
    }} {}

    explicit operator bool() const { return call_ != nullptr; }

    Result operator()(Arguments... arguments) const { return call_(object_, arguments...); }

private:
    const void* object_ = nullptr;
    Result (*call_)(const void*, Arguments...) = nullptr;
};

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::detail
