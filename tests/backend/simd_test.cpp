// The vector operations: each lane as the scalar operation, NaNs included.
#include <cmath>
#include <cstring>
#include <limits>

#include <doctest/doctest.h>

#include <tenon/backend/cpu/simd.hpp>

namespace {

using namespace tenon;

constexpr float nan = std::numeric_limits<float>::quiet_NaN();

struct alignas(64) Line {
    float values[16];
};

TEST_CASE("a vector is as wide as the instruction set is") {
#if defined(TENON_TEST_ISA)
    const char* const isa = TENON_TEST_ISA;
    CHECK(lanes == (std::strcmp(isa, "avx512") == 0 ? 16 : std::strcmp(isa, "avx2") == 0 ? 8 : 4));
#endif
    CHECK(lanes * vectors_per_block == block);
}

TEST_CASE("arithmetic is lane by lane") {
    Line a{}, b{}, c{}, out{};
    for (int i = 0; i < 16; ++i) {
        const auto x = static_cast<float>(i);
        a.values[i] = x - 7.5f;
        b.values[i] = 3 - x;
        c.values[i] = 0.25f * x;
    }
    const Vector va = load(a.values), vb = load(b.values), vc = load(c.values);
    const auto check = [&](Vector result, auto expected) {
        store(out.values, result);
        for (int i = 0; i < lanes; ++i) CHECK(out.values[i] == expected(a.values[i], b.values[i], c.values[i]));
    };
    check(add(va, vb), [](float x, float y, float) { return x + y; });
    check(multiply(va, vb), [](float x, float y, float) { return x * y; });
    check(multiply_add(va, vb, vc), [](float x, float y, float z) { return x * y + z; });  // exact here
    check(maximum(va, vb), [](float x, float y, float) { return x > y ? x : y; });
    check(relu(va), [](float x, float, float) { return x > 0 ? x : 0; });
    check(broadcast(2.5f), [](float, float, float) { return 2.5f; });
    check(zero(), [](float, float, float) { return 0.0f; });
}

TEST_CASE("a NaN in either operand is the maximum, and a ReLU keeps it") {
    Line out{};
    for (const Vector result :
         {maximum(broadcast(nan), zero()), maximum(zero(), broadcast(nan)), relu(broadcast(nan))}) {
        store(out.values, result);
        for (int i = 0; i < lanes; ++i) CHECK(std::isnan(out.values[i]));
    }
}

}  // namespace
