#pragma once
// IWYU pragma: private, include <tenon/network.hpp>

// A user's element-wise function as values: the loops that an operation of kind `elementwise` calls. They are machine
// code, so they belong to an instruction set; a program holds pointers to them.

#include <concepts>

#include <tenon/core/isa.hpp>

namespace tenon::detail {

/// What Elementwise takes: a default-constructible functor with a value and a derivative, in float and in double.
template <class Function>
concept ElementwiseFunctor = requires(Function function, float x, double y) {
    Function{};
    { function(x) } -> std::same_as<float>;
    { function(y) } -> std::same_as<double>;
    { function.derivative(x) } -> std::same_as<float>;
    { function.derivative(y) } -> std::same_as<double>;
};

/// The loops over one scalar type. y may be x, and `result` may be `gradient`.
template <class Scalar>
struct ElementwiseLoops {
    /// y[i] = f(x[i])
    void (*value)(const Scalar* x, Scalar* y, long count) = nullptr;
    /// result[i] = gradient[i] * f'(x[i])
    void (*gradient)(const Scalar* x, const Scalar* gradient, Scalar* result, long count) = nullptr;
};

/// A function in the scalar types that backends compute in.
struct ElementwiseFunction {
    ElementwiseLoops<float> floats{};
    ElementwiseLoops<double> doubles{};

    template <class Scalar>
    constexpr const ElementwiseLoops<Scalar>& loops() const {
        if constexpr (std::same_as<Scalar, float>)
            return floats;
        else
            return doubles;
    }
};

inline namespace TENON_ISA_NAMESPACE {

template <ElementwiseFunctor Function, class Scalar>
void apply_elementwise(const Scalar* x, Scalar* y, long count) {
    const Function function{};
    for (long i = 0; i < count; ++i) y[i] = function(x[i]);
}

template <ElementwiseFunctor Function, class Scalar>
void differentiate_elementwise(const Scalar* x, const Scalar* gradient, Scalar* result, long count) {
    const Function function{};
    for (long i = 0; i < count; ++i) result[i] = gradient[i] * function.derivative(x[i]);
}

/// The loops of one functor. Programs hold its address.
template <ElementwiseFunctor Function>
inline constexpr ElementwiseFunction elementwise_function{
    .floats = {&apply_elementwise<Function, float>, &differentiate_elementwise<Function, float>},
    .doubles = {&apply_elementwise<Function, double>, &differentiate_elementwise<Function, double>}};

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::detail
