// The small floating-point types of the host are those of the device.
#include <cmath>
#include <limits>

#include <doctest/doctest.h>

#include <tenon/backend/cuda/language/number.hpp>

namespace {

using namespace tenon::cuda;

/// The value of a binary16 from its definition.
double value_of_half(unsigned bits) {
    const int exponent = static_cast<int>(bits >> 10 & 31), mantissa = static_cast<int>(bits & 1023);
    const double sign = bits >> 15 ? -1 : 1;
    if (exponent == 31) return mantissa ? std::nan("") : sign * std::numeric_limits<double>::infinity();
    return sign * (exponent ? std::ldexp(1024 + mantissa, exponent - 25) : std::ldexp(mantissa, -24));
}

TEST_CASE("all halves are what they are defined to be, and come back") {
    for (unsigned bits = 0; bits < 65536; ++bits) {
        const float value = to_float(Float16{static_cast<std::uint16_t>(bits)});
        const double expected = value_of_half(bits);
        if (std::isnan(expected)) {
            REQUIRE(std::isnan(value));
            REQUIRE(std::isnan(to_float(from_float<Float16>(value))));
        } else {
            REQUIRE(double{value} == expected);
            REQUIRE(from_float<Float16>(value).bits == bits);
        }
    }
}

TEST_CASE("halves round to the nearest, ties to even") {
    for (unsigned bits = 0; bits < 0x7c00; ++bits) {
        const double low = value_of_half(bits), high = bits == 0x7bff ? 65536.0 : value_of_half(bits + 1);
        const float middle = static_cast<float>((low + high) / 2);
        REQUIRE(from_float<Float16>(middle).bits == (bits % 2 == 0 ? bits : bits + 1));
        REQUIRE(from_float<Float16>(std::nextafter(middle, 0.0f)).bits == bits);
        REQUIRE(from_float<Float16>(-std::nextafter(middle, 1e9f)).bits == ((bits + 1) | 0x8000));
    }
}

TEST_CASE("bfloat16 is the upper half of a float, rounded") {
    CHECK(from_float<BFloat16>(1.0f).bits == 0x3f80);
    CHECK(from_float<BFloat16>(float_of_bits(0x3f808000)).bits == 0x3f80);  // a tie, to even
    CHECK(from_float<BFloat16>(float_of_bits(0x3f818000)).bits == 0x3f82);
    CHECK(from_float<BFloat16>(float_of_bits(0x3f808001)).bits == 0x3f81);
    CHECK(from_float<BFloat16>(std::numeric_limits<float>::max()).bits == 0x7f80);
    CHECK(std::isnan(to_float(from_float<BFloat16>(float_of_bits(0x7f800001)))));
    CHECK(to_float(BFloat16{0xc040}) == -3.0f);
}

TEST_CASE("tensor floats have 10 bits of mantissa, ties away from zero") {
    CHECK(round_to_tensor_float(0x3f800fff) == 0x3f800000);
    CHECK(round_to_tensor_float(0x3f801000) == 0x3f802000);
    CHECK(round_to_tensor_float(0xbf801000) == 0xbf802000);
    CHECK(round_to_tensor_float(0x7f800000) == 0x7f800000);
}

}  // namespace
