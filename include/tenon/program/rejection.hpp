#pragma once
// IWYU pragma: private, include <tenon/network.hpp>

// What lowering records when a layer does not fit: errors are values, and only the first is recorded.

#include <tenon/core/shape.hpp>

namespace tenon {

/// Why a layer was rejected. `expected` and `got` of the Rejection are named with each reason.
enum class Reason {
    none,
    not_a_layer,                       ///< an entry of the list is not a layer
    input_has_no_size,                 ///< a dimension of Input is below 1
    begins_without_input,              ///< the first entry of a network is not an Input
    needs_a_map,                       ///< got: the flat shape where channels x height x width are needed
    needs_a_flat_input,                ///< expected: the flattened shape; got: the map
    size_is_not_positive,              ///< a count, kernel or stride below 1 or a negative padding; got: the values
    kernel_exceeds_padded_input,       ///< expected: the smallest map that fits; got: the padded map
    channels_not_divisible_by_groups,  ///< expected: {groups}; got: {channels}
    branches_disagree,                 ///< expected: the body's shape; got: the shortcut's
    factors_disagree,                  ///< expected: the first factor's shape; got: the second's
    stack_needs_at_least_two_blocks,   ///< got: {blocks}
    padding_exceeds_kernel,            ///< a window may be all padding; expected: the smallest kernel; got: the kernel
    rate_is_not_below_one,             ///< a dropout's rate; got: {numerator, denominator}
    epsilon_or_momentum_is_not_positive,  ///< of a batch norm
    cannot_drop_channels,                 ///< of a channel padding; expected: {input's channels}; got: {channels}
    block_option_given_twice,             ///< two shortcuts or two placements
    gated_shortcut_preactivated,          ///< a gate in a placement that pre-activates
    convolution_with_padded_channels,     ///< a shortcut that projects and pads
    nothing_to_preactivate_shortcut,      ///< PreactivateShortcut in a placement without pre-activation
    not_an_elementwise_function,          ///< of Elementwise: no value or no derivative, in float or in double
    nested_too_deep,                      ///< more than Rejection::max_depth combinators inside one another
};

/// The first thing that is wrong with a network: why, what was expected, what was found, and the path to the layer: the
/// index in the network, then in the combinator found there, and so on.
struct Rejection {
    static constexpr int max_depth = 8;
    Reason reason = Reason::none;
    Shape expected{}, got{};
    int position[max_depth]{};
    int depth = 0;

    constexpr explicit operator bool() const { return reason != Reason::none; }
};

}  // namespace tenon
