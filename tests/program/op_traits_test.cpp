// The table of what is known of operations, at compile time: this file tests by compiling.
#include <algorithm>
#include <initializer_list>

#include <doctest/doctest.h>

#include <tenon/program/op_traits.hpp>

namespace {

using tenon::OpKind;
using tenon::detail::op_kinds;
using tenon::detail::op_name;
using tenon::detail::op_traits;
using tenon::detail::OpTraits;
using tenon::detail::traits_of;

/// Whether exactly these kinds have a trait.
constexpr bool only(bool OpTraits::*trait, std::initializer_list<OpKind> kinds) {
    return std::ranges::all_of(op_traits, [&](const OpTraits& traits) {
        return traits.*trait == (std::ranges::count(kinds, traits.kind) == 1);
    });
}

namespace kinds_with_traits {
using enum OpKind;
static_assert(only(&OpTraits::is_transfer, {load_input, store_output}));
static_assert(only(&OpTraits::is_product, {conv, linear}));
static_assert(only(&OpTraits::is_affine, {batch_norm, scale}));
static_assert(only(&OpTraits::is_pooling, {max_pool, average_pool}));
static_assert(only(&OpTraits::is_global_pooling, {global_average_pool, global_max_pool}));
static_assert(only(&OpTraits::is_maximum, {max_pool, global_max_pool}));
static_assert(only(&OpTraits::is_in_place, {add, batch_norm, relu, scale, multiply, sigmoid, elementwise}));
static_assert(only(&OpTraits::is_elementwise, {sigmoid, elementwise}));
static_assert(only(&OpTraits::gradient_reads_result, {sigmoid}));
static_assert(only(&OpTraits::takes_relu, {conv, linear, batch_norm, add, max_pool, average_pool}));
static_assert(only(&OpTraits::activates, {conv, add, batch_norm, relu, max_pool, average_pool}));
static_assert(only(&OpTraits::is_cheap, {batch_norm, relu, dropout, scale}));
static_assert(op_name(conv) == "conv" && op_name(batch_norm) == "norm" && op_name(store_output) == "store_output");
}  // namespace kinds_with_traits

/// Names are in files and reports, so no two kinds share one.
constexpr bool names_differ() {
    for (int i = 0; i < op_kinds; ++i)
        for (int j = 0; j < i; ++j)
            if (op_traits[i].name == op_traits[j].name) return false;
    return true;
}
static_assert(names_differ());

TEST_CASE("the table of operations is checked by the compiler") {
    CHECK(traits_of(OpKind::sigmoid).kind == OpKind::sigmoid);
}

}  // namespace
