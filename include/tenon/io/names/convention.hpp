// How a library names and lays out the parameters of its networks, as data.
#pragma once

#include <span>
#include <string_view>

namespace tenon {

/// One rule: layers whose canonical path matches `path`, in which `#` stands for a number, have the name `name`. In it
/// `{i}` stands for the i-th number, `{i+k}` for that number plus k, `{n}` for the number of layers before this one
/// that have the same text in front of their own `{n}` (libraries that count layers in the order they are made),
/// `{n+k}` for that plus k, and `{_n}` for nothing where it is zero and `_n` elsewhere.
struct NameRule {
    std::string_view path, name;
};

/// In which order the elements of weights stand.
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
    bool counted_from_anywhere = false;  ///< `conv2d_7` is the layer whose number is the eighth smallest in the file
    bool norms_without_affine_have_one = false;  ///< gammas of ones and betas of zeros are stored for them
    std::string_view counted_prefix{};           ///< behind it stands a number in front of every name that files may
    std::string_view counted_as{};               ///< have any of; the rules have this one
};

}  // namespace tenon
