#pragma once
// IWYU pragma: private, include <tenon/inference.hpp>

// The tensor beside a network's weights that its 8-bit integers need.

#include <string_view>

namespace tenon::detail {

/// The tensor of a weights file that holds, for each convolution and linear layer in the order of the network, the
/// range of what it reads: what models in 8-bit integers need beside the weights. Networks ignore it otherwise.
inline constexpr std::string_view ranges_name = "int8.input_ranges";

}  // namespace tenon::detail
