#pragma once
// IWYU pragma: private, include <tenon/inference.hpp>

// How a library names and lays out the parameters of its networks, as data.

#include <span>
#include <string_view>

namespace tenon::detail {

/// One rule: layers whose canonical path matches `path`, in which `#` is any number, have the name `name`, in which
///
///     {i}     is the i-th number of the path,
///     {i+k}   that number plus k,
///     {n}     the number of layers before this one whose name has the same text before its own {n}: libraries that
///             count layers count them in the order in which they are made,
///     {n+k}   that plus k,
///     {_n}    nothing when it is zero, else `_` and the number.
///
/// Example: {"stack#.block#.body.conv#", "layer{0+1}.{1}.conv{2+1}"} names stack0.block1.body.conv2 layer1.1.conv3.
struct NameRule {
    std::string_view path, name;
};

/// The order of a weight's elements in a file.
enum class WeightLayout {
    torch,                       ///< convolutions OIHW, linear layers [out, in]
    torch_pointwise_classifier,  ///< the same, a linear layer as a 1x1 convolution [out, in, 1, 1]
    keras,                       ///< convolutions HWIO, linear layers [in, out], flattened maps row, column, channel
};

/// The words for weight, bias, gamma, beta, running mean and running variance, in the order of ParameterRole.
struct RoleWords {
    std::string_view words[6];
};
inline constexpr RoleWords torch_roles{{"weight", "bias", "weight", "bias", "running_mean", "running_var"}};
inline constexpr RoleWords keras_roles{{"kernel", "bias", "gamma", "beta", "moving_mean", "moving_variance"}};
inline constexpr RoleWords mxnet_roles{{"weight", "bias", "gamma", "beta", "running_mean", "running_var"}};

/// A convention: the rules for layers (none: the canonical path is the name), then `separator`, then the role's word.
struct NamingConvention {
    std::span<const NameRule> rules{};
    RoleWords roles = torch_roles;
    std::string_view separator = ".";
    WeightLayout layout = WeightLayout::torch;
    bool counted_from_anywhere = false;          ///< the least number of a kind is 0, the next 1, ...
    bool norms_without_affine_have_one = false;  ///< gammas of ones and betas of zeros are stored for them
    std::string_view counted_prefix{};           ///< all names begin with it and then a number, which may be any
    std::string_view counted_as{};               ///< the number that the rules have there
};

}  // namespace tenon::detail
