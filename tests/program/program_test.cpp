// What a program says of its layers, at compile time: this file tests by compiling.
#include <doctest/doctest.h>

#include <tenon/core/round.hpp>
#include <tenon/topology/channel_ops.hpp>
#include <tenon/topology/convolution.hpp>
#include <tenon/topology/elementwise.hpp>
#include <tenon/topology/network.hpp>
#include <tenon/topology/training_parts.hpp>

namespace {

namespace found_by_role {

using namespace tenon;
using enum ParameterRole;

struct Plain : Network<Input<3, 4, 4>, Conv<2>, Conv<2, Bias>, BatchNorm, BatchNormWith<NoAffine>, Scale<1, 2>> {};
constexpr const auto& program = lowered<Plain>;
static_assert(program.parameter(0, weight) == 0 && program.parameter(0, bias) == -1);
static_assert(program.parameter(1, weight) == 1 && program.parameter(1, bias) == 2 &&
              program.parameter(1, gamma) == -1);
static_assert(program.parameter(2, gamma) == 3 && program.parameter(2, beta) == 4);
static_assert(program.parameter(2, running_mean) == 5 && program.parameter(2, running_variance) == 6);
static_assert(program.parameter(3, gamma) == -1 && program.parameter(3, running_mean) == 7);
static_assert(program.parameter(4, weight) == -1 && program.parameter(-1, weight) == -1);

struct PartlyFrozen : Network<Input<3, 4, 4>, Frozen<Conv<2>>, BatchNorm> {};
constexpr const auto& partly_frozen = lowered<PartlyFrozen>;
static_assert(!partly_frozen.is_trained(0));                                  // the convolution's weight
static_assert(partly_frozen.is_trained(1) && partly_frozen.is_trained(2));    // gamma, beta
static_assert(!partly_frozen.is_trained(3) && !partly_frozen.is_trained(4));  // running statistics

}  // namespace found_by_role

static_assert(tenon::detail::round_up(0L, 16) == 0 && tenon::detail::round_up(1L, 16) == 16);
static_assert(tenon::detail::round_up(16, 16) == 16 && tenon::detail::round_up(17, 16) == 32);

TEST_CASE("parameters are found by their role") {
    CHECK(found_by_role::program.parameter(3, tenon::ParameterRole::running_variance) == 8);
}

}  // namespace
