// All networks that the library ships, as programs of one type.
#pragma once

#include <string>
#include <vector>

#include <tenon/program/program.hpp>

namespace tenon_test {

/// Room for the largest of them.
inline constexpr tenon::detail::Capacity room{720, 720, 720, 1200};
using AnyProgram = tenon::detail::Program<room>;

struct ShippedNetwork {
    std::string name;
    AnyProgram (*lower)();  ///< the network as its layers lower it
};

const std::vector<ShippedNetwork>& shipped_networks();

}  // namespace tenon_test
