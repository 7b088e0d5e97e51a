#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

#include <doctest/doctest.h>

#include <tenon/io/dtype.hpp>

using tenon::DType;

static_assert(tenon::detail::dtype_of<float> == DType::f32);
static_assert(tenon::detail::dtype_of<double> == DType::f64);
static_assert(tenon::detail::dtype_of<std::uint8_t> == DType::u8);
static_assert(tenon::detail::dtype_of<std::int64_t> == DType::i64);
static_assert(tenon::detail::dtype_of<long long> == DType::i64);
static_assert(!tenon::detail::Element<bool>);
static_assert(!tenon::detail::Element<long double>);
static_assert(tenon::detail::dtype_from_name("BF16") == DType::bf16);
static_assert(!tenon::detail::dtype_from_name("f32"));
static_assert(!tenon::detail::dtype_from_name(""));
static_assert(tenon::detail::dtype_name(DType::f6_e3m2) == "F6_E3M2");
static_assert(tenon::detail::dtype_bits(DType::f6_e3m2) == 6);
static_assert(tenon::detail::dtype_bits(DType::c64) == 64);
static_assert(tenon::detail::half_to_float(0x3C00) == 1.0f);

TEST_CASE("every half is converted exactly") {
    for (std::uint32_t bits = 0; bits <= 0xFFFF; ++bits) {
        const int exponent = static_cast<int>(bits >> 10 & 31);
        const int fraction = static_cast<int>(bits & 1023);
        double expected = exponent == 0 ? std::ldexp(fraction, -24) : std::ldexp(1024 + fraction, exponent - 25);
        if (exponent == 31) expected = fraction ? std::nan("") : std::numeric_limits<double>::infinity();
        if (bits >> 15) expected = -expected;
        const float found = tenon::detail::half_to_float(static_cast<std::uint16_t>(bits));
        if (std::isnan(expected)) {
            REQUIRE(std::isnan(found));
        } else {
            REQUIRE(found == expected);
            REQUIRE(std::signbit(found) == std::signbit(expected));
        }
    }
}

TEST_CASE("a float becomes the nearest half, of two the even one") {
    for (std::uint32_t bits = 0; bits <= 0x7BFF; ++bits) {
        const auto half = static_cast<std::uint16_t>(bits), next = static_cast<std::uint16_t>(bits + 1);
        const float value = tenon::detail::half_to_float(half);
        REQUIRE(tenon::detail::float_to_half(value) == half);
        REQUIRE(tenon::detail::float_to_half(-value) == (half | 0x8000));
        // Half way to the next one, and just beside it. After the largest half, infinity takes the place of 65536.
        const float above = bits == 0x7BFF ? 65536.0f : tenon::detail::half_to_float(next);
        const float middle = value + (above - value) / 2;
        REQUIRE(tenon::detail::float_to_half(middle) == (bits % 2 == 0 ? half : next));
        REQUIRE(tenon::detail::float_to_half(std::nextafter(middle, 0.0f)) == half);
        REQUIRE(tenon::detail::float_to_half(std::nextafter(middle, 1e9f)) == next);
    }
    CHECK(tenon::detail::float_to_half(std::numeric_limits<float>::infinity()) == 0x7C00);
    CHECK(tenon::detail::float_to_half(-1e30f) == 0xFC00);
    CHECK(tenon::detail::float_to_half(1e-30f) == 0);
    CHECK(std::isnan(tenon::detail::half_to_float(tenon::detail::float_to_half(std::nanf("")))));
}

TEST_CASE("a bfloat16 is the upper half of a float") {
    CHECK(tenon::detail::bfloat16_to_float(0x3FC0) == 1.5f);
    CHECK(tenon::detail::bfloat16_to_float(0xFF7F) == -0x1.FEp127f);
    CHECK(std::isnan(tenon::detail::bfloat16_to_float(0x7FC0)));
}
