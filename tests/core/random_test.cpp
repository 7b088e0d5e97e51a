// The literals were computed by tests/parity/oracles/seeded.py, so the two sides of the golden tests draw the same
// tensors.
#include <cmath>
#include <cstdint>
#include <limits>

#include <doctest/doctest.h>

#include <tenon/core/random.hpp>

namespace {

using tenon::detail::hash_name;
using tenon::detail::mix;
using tenon::detail::random_bits;
using tenon::detail::uniform;

// The laws hold at compile time too.
static_assert(mix(0) == 0);
static_assert(mix(tenon::detail::golden_step) == 0xE220A8397B1DCDAF);  // splitmix64's first number after seed 0
static_assert(tenon::detail::hash_name("") == 0xCBF29CE484222325);
static_assert(uniform(0, -1.0, 1.0) == -1.0);
static_assert(uniform(~std::uint64_t{0}, 0.0, 1.0) == 1.0 - 0x1p-24);

TEST_CASE("mix is splitmix64's finaliser") {
    CHECK(mix(1) == 0x5692161D100B05E5);
    CHECK(mix(tenon::detail::golden_step) == 0xE220A8397B1DCDAF);
}

TEST_CASE("hash_name is 64-bit FNV-1a over bytes") {
    CHECK(tenon::detail::hash_name("input") == 0x1EBBAE8F5810B65B);
    CHECK(tenon::detail::hash_name("conv1.conv.weight") == 0x7630F278FA953344);
    CHECK(tenon::detail::hash_name("conv2.conv.0.conv1.0.weight") == 0x0FD9D1F5546DE8D0);
    CHECK(tenon::detail::hash_name("conv5.conv.2.short.weight") == 0xE8E9F599BA2C6D8C);
    CHECK(tenon::detail::hash_name("post.fc.bias") == 0xA83DD07E457FE79B);
    CHECK(tenon::detail::hash_name("\xC3\xA9") == 0x0AC21707B7181E01);  // a letter beyond ASCII, in UTF-8
}

TEST_CASE("random_bits depends on seed, stream and index alone") {
    struct Case {
        std::uint64_t seed;
        const char* name;
        std::uint64_t index;
        std::uint64_t bits;
    };
    const Case cases[] = {
        {0, "", 0, 0xC3817C016BA4FF30},
        {1, "input", 0, 0x84DFD6570FCD8C87},
        {1, "input", 150527, 0x7DD382EC5E1001AC},
        {1, "conv2.conv.0.conv1.0.weight", 0, 0x06B0D7106ABA6AF4},
        {1, "conv2.conv.0.conv1.0.weight", 4095, 0x9E0843E391114592},
        {12345678901234567890u, "post.fc.bias", 7, 0x4BC64638353DA4A6},
        {std::numeric_limits<std::uint64_t>::max(), "conv1.conv.weight", std::uint64_t{1} << 32, 0xEC7EA01B6B980A29},
    };
    for (const Case& expected : cases) {
        CAPTURE(expected.seed);
        CAPTURE(expected.name);
        CAPTURE(expected.index);
        CHECK(tenon::detail::random_bits(expected.seed, tenon::detail::hash_name(expected.name), expected.index) ==
              expected.bits);
    }
}

TEST_CASE("a seeded tensor's elements equal Python's to the bit") {
    const auto element = [](const char* name, std::uint64_t index, double low, double high) {
        return static_cast<float>(
            uniform(tenon::detail::random_bits(1, tenon::detail::hash_name(name), index), low, high));
    };
    const double pointwise = std::sqrt(3.0 / 64);
    CHECK(element("conv2.conv.0.conv1.0.weight", 0, -pointwise, pointwise) == -0x1.a43a3ap-3f);
    CHECK(element("conv2.conv.0.conv1.0.weight", 4095, -pointwise, pointwise) == 0x1.a023aep-5f);
    const double stem = std::sqrt(3.0 / (3 * 7 * 7));
    CHECK(element("conv1.conv.weight", 9407, -stem, stem) == -0x1.0217fcp-3f);
    CHECK(element("conv1.conv.bias", 63, -0.1, 0.1) == 0x1.228826p-5f);
    CHECK(element("post.bn.weight", 2047, 0.5, 1.5) == 0x1.481b64p-1f);
    CHECK(element("post.bn.bias", 0, -0.5, 0.5) == -0x1.70ab4p-5f);
    CHECK(element("post.bn.running_mean", 1, -0.5, 0.5) == -0x1.0b118p-6f);
    CHECK(element("post.bn.running_var", 2, 0.5, 1.5) == 0x1.1761c4p+0f);
    CHECK(element("input", 0, -1, 1) == 0x1.37f58p-5f);
    CHECK(element("input", 1, -1, 1) == 0x1.6cdde8p-1f);
    CHECK(element("input", 150527, -1, 1) == -0x1.163fp-6f);
}

TEST_CASE("uniform stays below its upper end and has the right mean and spread") {
    double sum = 0, sum_of_squares = 0;
    bool inside = true;
    constexpr int count = 100000;
    for (std::uint64_t i = 0; i < count; ++i) {
        const double value = uniform(tenon::detail::random_bits(7, 0, i), -1.0, 1.0);
        inside = inside && value >= -1.0 && value < 1.0;
        sum += value;
        sum_of_squares += value * value;
    }
    CHECK(inside);
    // Six standard deviations of the mean of `count` numbers of variance 1/3, and of their squares of variance 4/45.
    CHECK(std::abs(sum / count) < 6 * std::sqrt(1.0 / 3 / count));
    CHECK(std::abs(sum_of_squares / count - 1.0 / 3) < 6 * std::sqrt(4.0 / 45 / count));
}

}  // namespace
