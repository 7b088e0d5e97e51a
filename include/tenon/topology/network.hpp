#pragma once
// IWYU pragma: private, include <tenon/network.hpp>

// Network: an input and a list of layers, checked once, and the facts about it as constants.

#include <tenon/topology/diagnosis.hpp>

namespace tenon {

/// The shape of one sample: `Input<3, 224, 224>` is a map of channels x height x width, `Input<10>` a flat vector.
template <int... Dimensions>
requires(sizeof...(Dimensions) == 1 || sizeof...(Dimensions) == 3) struct Input {
    static constexpr Shape shape{Dimensions...};
    static constexpr bool is_positive = ((Dimensions > 0) && ...);
};

namespace detail {

/// What a network begins with: Input, or a type with the same constants.
template <class T>
concept InputType = requires {
    { T::shape } -> std::convertible_to<Shape>;
    { T::is_positive } -> std::convertible_to<bool>;
};

/// Lowers a list of layers after an input. After a rejection the program is incomplete.
template <class In, class... Layers>
constexpr Cursor lower_network(Builder& builder) {
    if (!In::is_positive) builder.reject(Reason::input_has_no_size, {1, 1, 1}, In::shape);
    Cursor x = builder.input(In::shape);
    int index = 0;
    ((x = lower_child<Layers>(builder, x, index++)), ...);
    return x;
}

/// What the check of a network found.
template <class In, class... Layers>
consteval Rejection check_network() {
    if constexpr (InputType<In>) {
        Builder builder;
        lower_network<In, Layers...>(builder);
        return builder.rejection();
    } else {
        return {.reason = Reason::begins_without_input};
    }
}

/// The one static_assert of a network. It is in a class of its own, so that after it has failed the network stays
/// usable and nothing cascades.
template <class Verdict>
struct NetworkCheck {
    static_assert(
        fits<Verdict>,
        "tenon: a layer does not fit; see Rejected<layer, reason, At<index in the network, then inside>, ...>");
    static constexpr bool done = true;
};

}  // namespace detail

/// A network: derive a named struct from it, `struct Tiny : Network<Input<1, 28, 28>, Conv<16, Kernel<3>>, ...> {};`.
/// Layers that don't fit don't compile: one static_assert prints the layer, the reason, its position, the combinators
/// around it, and the shapes expected and found.
template <class In, class... Layers>
struct Network {
    static constexpr Rejection rejection = detail::check_network<In, Layers...>();

    static_assert(detail::NetworkCheck<decltype(detail::verdict<rejection, In, detail::Children<Layers...>>())>::done);

    static constexpr Cursor lower(Builder& builder) {
        if constexpr (rejection.reason == Reason::none) return detail::lower_network<In, Layers...>(builder);
        return builder.input({1});
    }
};

/// A type derived from Network.
template <class T>
concept NetworkType = requires(Builder& builder) {
    { T::lower(builder) } -> std::same_as<Cursor>;
    { T::rejection } -> std::convertible_to<Rejection>;
};

namespace detail {

/// Replaces a type that is not a network once the compiler has reported it, so that nothing cascades.
struct NoNetwork : Network<Input<1>> {};

/// The static_assert of everything that takes a network, in a class of its own like NetworkCheck.
template <class T, bool IsNetwork = NetworkType<T>>
struct NetworkArgument {
    static constexpr bool done = true;  // first: Clang leaves out what follows an assertion that fails
    static_assert(IsNetwork,
                  "tenon: this is not a network; a network is a struct that is derived from Network<Input<channels, "
                  "height, width>, layers...>");
};

/// The network itself; NoNetwork for a type that is not one.
template <class T>
using NetworkOrNone = std::conditional_t<NetworkType<T>, T, NoNetwork>;

// A program is a constant, but one with a user's element-wise function points to that function's machine code: so each
// instruction set has programs of its own.
inline namespace TENON_ISA_NAMESPACE {

/// The sizes of a network's program: operations, values, layers and parameters.
template <class Net>
inline constexpr Capacity capacity = [] {
    static_assert(NetworkArgument<Net>::done);
    Builder builder;
    NetworkOrNone<Net>::lower(builder);
    return builder.counts();
}();

}  // namespace TENON_ISA_NAMESPACE
}  // namespace detail

inline namespace TENON_ISA_NAMESPACE {

/// A network's program as its layers lower it, before any pass.
template <class Net>
inline constexpr auto lowered = [] {
    detail::Program<detail::capacity<Net>> program;
    Builder builder{program};
    program.output = detail::NetworkOrNone<Net>::lower(builder).value;
    program.ops.count = detail::capacity<Net>.ops;
    program.values.count = detail::capacity<Net>.values;
    program.layers.count = detail::capacity<Net>.layers;
    program.parameters.count = detail::capacity<Net>.parameters;
    return program;
}();

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon
