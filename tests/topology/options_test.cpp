// What options add up to.
#include <doctest/doctest.h>

#include <tenon/topology/elementwise.hpp>
#include <tenon/topology/pooling.hpp>

namespace {

using namespace tenon;

constexpr detail::Window window_of(const detail::WindowOptions& options) { return options.window; }

static_assert(window_of(detail::options_of<Kernel<3>, Padding<1, 2, 3, 4>, Stride<5, 6>>(detail::WindowOptions{})) ==
              detail::Window{3, 3, 5, 6, 1, 2, 3, 4, PadValue::zero});
static_assert(window_of(detail::options_of<Padding<1, 2>>(detail::WindowOptions{})) ==
              detail::Window{1, 1, 1, 1, 1, 2, 1, 2, PadValue::zero});
static_assert(window_of(detail::options_of<Padding<3>>(detail::WindowOptions{})) ==
              detail::Window{1, 1, 1, 1, 3, 3, 3, 3, PadValue::zero});
static_assert(detail::options_of<Bias, Groups<4>>(detail::WindowOptions{}).bias &&
              detail::options_of<Groups<4>>(detail::WindowOptions{}).groups == 4);
static_assert(!detail::options_of<Groups<4>>(detail::WindowOptions{}).bias);

// Pools: torch's defaults of the padding.
static_assert(MaxPool<Kernel<3>>::window.pad_value == PadValue::excluded);
static_assert(MaxPool<Kernel<3>, PadZero>::window.pad_value == PadValue::zero);
static_assert(AvgPool<Kernel<3>>::window.pad_value == PadValue::zero);
static_assert(AvgPool<Kernel<3>, PadExcluded>::window.pad_value == PadValue::excluded);
static_assert(MaxPool<Kernel<3>>::window.stride_height == 3 &&
              MaxPool<Kernel<3>, Stride<1>>::window.stride_height == 1);

TEST_CASE("epsilon and momentum are fractions") {
    constexpr detail::NormOptions options =
        detail::options_of<Epsilon<1001, 100'000'000>, Momentum<1, 100>>(detail::NormOptions{});
    CHECK(options.epsilon == doctest::Approx(1.001e-5).epsilon(1e-12));
    CHECK(options.momentum == doctest::Approx(0.01).epsilon(1e-12));
    CHECK(detail::NormOptions{}.epsilon == 1e-5);
    CHECK(detail::NormOptions{}.momentum == 0.1);
}

}  // namespace
