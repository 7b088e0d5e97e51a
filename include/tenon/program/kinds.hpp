#pragma once
// IWYU pragma: private, include <tenon/network.hpp>

// The kinds of operations a program consists of, and the roles of parameters.

#include <string_view>

namespace tenon {

/// What an operation does. Layers lower to the first group; passes and backends add those of the second. What is known
/// of each kind is in op_traits.hpp, one line per kind.
enum class OpKind {
    conv,
    batch_norm,
    relu,
    max_pool,
    average_pool,
    global_average_pool,
    global_max_pool,
    flatten,
    linear,
    dropout,
    softmax,
    add,
    scale,     ///< multiplies by a constant
    multiply,  ///< the product of two maps, element by element
    sigmoid,
    elementwise,   ///< a user's function of each element (Elementwise)
    pad_channels,  ///< every n-th pixel, channels of zeros on both sides (He et al. 2015, option A)
    // added by the passes
    load_input,    ///< the user's tensor into the backend's layout
    store_output,  ///< the result into the user's layout
};

/// What a parameter is to its layer. Weight decay, initialization and names depend on it.
enum class ParameterRole { weight, bias, gamma, beta, running_mean, running_variance };

namespace detail {

/// The word a role has in names; PyTorch's, in which gamma is `weight` and beta is `bias`.
constexpr std::string_view role_name(ParameterRole role) {
    constexpr std::string_view names[] = {"weight", "bias", "weight", "bias", "running_mean", "running_var"};
    return names[static_cast<int>(role)];
}

/// Whether an optimizer changes a parameter; the running statistics are buffers.
constexpr bool is_trainable(ParameterRole role) {
    return role != ParameterRole::running_mean && role != ParameterRole::running_variance;
}

}  // namespace detail

}  // namespace tenon
