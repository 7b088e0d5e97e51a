#pragma once
// IWYU pragma: private, include <tenon/network.hpp>

// A rejection as a type, so that the one static_assert of a network prints where, which layer, expected and got.
//
// C++20 has no computed text in a static_assert; a type's name is the message. Nothing here is instantiated for a
// network that fits.

#include <tuple>
#include <type_traits>
#include <utility>

#include <tenon/program/rejection.hpp>
#include <tenon/topology/combinators.hpp>

namespace tenon {

/// The sentences of the reasons, as names of types.
namespace reason {
struct this_is_not_a_layer {};
struct input_dimensions_must_be_positive {};
struct a_network_begins_with_its_Input_before_the_first_layer {};
struct this_layer_needs_channels_x_height_x_width_but_gets_a_flat_vector {};
struct this_layer_needs_a_flat_vector_so_put_Flatten_or_a_global_pool_before_it {};
struct sizes_and_strides_must_be_at_least_1_and_paddings_at_least_0 {};
struct the_kernel_is_larger_than_the_padded_input {};
struct the_channels_are_not_divisible_by_the_groups {};
struct the_body_and_the_shortcut_of_this_residual_have_different_shapes {};
struct the_two_factors_of_this_product_have_different_shapes {};
struct a_stack_needs_at_least_two_blocks {};
struct the_padding_of_a_pooling_must_be_smaller_than_its_kernel {};
struct the_rate_of_a_dropout_must_be_at_least_0_and_below_1 {};
struct epsilon_and_momentum_must_be_positive {};
struct a_channel_padding_must_have_at_least_the_channels_of_its_input {};
struct a_block_takes_one_shortcut_and_one_placement {};
struct a_gated_shortcut_needs_a_placement_without_pre_activation {};
struct a_convolution_changes_the_channels_itself_so_leave_out_PadShortcut {};
struct only_a_pre_activated_block_can_pre_activate_its_shortcut {};
struct an_Elementwise_needs_a_functor_with_value_and_derivative_for_float_and_double {};
struct combinators_are_nested_too_deep {};
}  // namespace reason

namespace detail {

/// The reason of a rejection as a type.
template <Reason R>
consteval auto reason_type() {
    using enum Reason;
    if constexpr (R == not_a_layer) return reason::this_is_not_a_layer{};
    if constexpr (R == input_has_no_size) return reason::input_dimensions_must_be_positive{};
    if constexpr (R == begins_without_input) return reason::a_network_begins_with_its_Input_before_the_first_layer{};
    if constexpr (R == needs_a_map) return reason::this_layer_needs_channels_x_height_x_width_but_gets_a_flat_vector{};
    if constexpr (R == needs_a_flat_input)
        return reason::this_layer_needs_a_flat_vector_so_put_Flatten_or_a_global_pool_before_it{};
    if constexpr (R == size_is_not_positive)
        return reason::sizes_and_strides_must_be_at_least_1_and_paddings_at_least_0{};
    if constexpr (R == kernel_exceeds_padded_input) return reason::the_kernel_is_larger_than_the_padded_input{};
    if constexpr (R == channels_not_divisible_by_groups) return reason::the_channels_are_not_divisible_by_the_groups{};
    if constexpr (R == branches_disagree)
        return reason::the_body_and_the_shortcut_of_this_residual_have_different_shapes{};
    if constexpr (R == factors_disagree) return reason::the_two_factors_of_this_product_have_different_shapes{};
    if constexpr (R == stack_needs_at_least_two_blocks) return reason::a_stack_needs_at_least_two_blocks{};
    if constexpr (R == padding_exceeds_kernel)
        return reason::the_padding_of_a_pooling_must_be_smaller_than_its_kernel{};
    if constexpr (R == rate_is_not_below_one) return reason::the_rate_of_a_dropout_must_be_at_least_0_and_below_1{};
    if constexpr (R == epsilon_or_momentum_is_not_positive) return reason::epsilon_and_momentum_must_be_positive{};
    if constexpr (R == cannot_drop_channels)
        return reason::a_channel_padding_must_have_at_least_the_channels_of_its_input{};
    if constexpr (R == block_option_given_twice) return reason::a_block_takes_one_shortcut_and_one_placement{};
    if constexpr (R == gated_shortcut_preactivated)
        return reason::a_gated_shortcut_needs_a_placement_without_pre_activation{};
    if constexpr (R == convolution_with_padded_channels)
        return reason::a_convolution_changes_the_channels_itself_so_leave_out_PadShortcut{};
    if constexpr (R == nothing_to_preactivate_shortcut)
        return reason::only_a_pre_activated_block_can_pre_activate_its_shortcut{};
    if constexpr (R == not_an_elementwise_function)
        return reason::an_Elementwise_needs_a_functor_with_value_and_derivative_for_float_and_double{};
    if constexpr (R == nested_too_deep) return reason::combinators_are_nested_too_deep{};
}

}  // namespace detail

/// The position of a rejected layer: its index in the network, then in the combinator found there, and so on.
template <int... Indices>
struct At {};
/// The combinators around a rejected layer, from the outside in.
template <class... Combinators>
struct Inside {};

/// The shape that would fit; each Reason says which one it is.
template <Shape>
struct Expected {};
/// The shape that was found.
template <Shape>
struct Got {};

namespace detail {

template <int Index, class... Layers>
consteval auto child_at(Children<Layers...>) {
    return std::type_identity<std::tuple_element_t<static_cast<std::size_t>(Index), std::tuple<Layers...>>>{};
}

/// Walks from a list of layers along a rejection's position; yields the rejected layer and the combinators around it.
template <Rejection R, int Depth, class List, class... Passed>
consteval auto locate() {
    constexpr auto found = child_at<R.position[Depth]>(List{});
    using Found = typename decltype(found)::type;
    if constexpr (Depth + 1 < R.depth)
        return locate<R, Depth + 1, typename Found::children, Passed..., Found>();
    else
        return std::tuple<std::type_identity<Found>, Inside<Passed...>>{};
}

/// The verdict on a network whose layers fit.
struct Accepted {};

}  // namespace detail

/// The verdict on a network with a layer that doesn't fit. The compiler prints its arguments: the layer, a sentence of
/// namespace reason, At<...>, Inside<...>, and Expected<...> and Got<...> where the reason has them.
template <class Layer, class Why, class Where, class Around, class... Shapes>
struct Rejected {};

namespace detail {

template <class Verdict>
inline constexpr bool fits = false;
template <>
inline constexpr bool fits<Accepted> = true;

/// The verdict of a rejection over a list of layers.
template <Rejection R, class Input, class Layers>
consteval auto verdict() {
    if constexpr (R.reason == Reason::none) {
        return Accepted{};
    } else if constexpr (R.reason == Reason::begins_without_input) {
        return Rejected<Input, decltype(reason_type<R.reason>()), At<0>, Inside<>>{};
    } else if constexpr (R.reason == Reason::input_has_no_size) {
        return Rejected<Input, decltype(reason_type<R.reason>()), At<>, Inside<>, Got<R.got>>{};
    } else {
        return []<int... I>(std::integer_sequence<int, I...>) {
            using Located = decltype(locate<R, 0, Layers>());
            return Rejected<typename std::tuple_element_t<0, Located>::type, decltype(reason_type<R.reason>()),
                            At<R.position[I]...>, std::tuple_element_t<1, Located>, Expected<R.expected>, Got<R.got>>{};
        }
        (std::make_integer_sequence<int, R.depth>{});
    }
}

}  // namespace detail

}  // namespace tenon
