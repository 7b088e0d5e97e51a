// The vector operations: each lane as the scalar operation, NaNs included.
#include <cmath>
#include <cstring>
#include <initializer_list>
#include <limits>

#include <doctest/doctest.h>

#include <tenon/backend/cpu/simd/vector.hpp>

namespace {

using namespace tenon;

constexpr float nan = std::numeric_limits<float>::quiet_NaN();

struct alignas(64) Line {
    float values[16];
};

TEST_CASE("a vector is as wide as the instruction set is") {
#if defined(TENON_TEST_ISA)
    const char* const isa = TENON_TEST_ISA;
    CHECK(cpu::vector_width == (std::strcmp(isa, "avx512") == 0 ? 16 : std::strcmp(isa, "avx2") == 0 ? 8 : 4));
#endif
    CHECK(cpu::vector_width * cpu::vectors_per_block == cpu::channel_block);
}

TEST_CASE("arithmetic is lane by lane") {
    Line a{}, b{}, c{}, out{};
    for (int i = 0; i < 16; ++i) {
        const auto x = static_cast<float>(i);
        a.values[i] = x - 7.5f;
        b.values[i] = 3 - x;
        c.values[i] = 0.25f * x;
    }
    const cpu::Vector va = cpu::load(a.values), vb = cpu::load(b.values), vc = cpu::load(c.values);
    const auto check = [&](cpu::Vector result, auto expected) {
        cpu::store(out.values, result);
        for (int i = 0; i < cpu::vector_width; ++i)
            CHECK(out.values[i] == expected(a.values[i], b.values[i], c.values[i]));
    };
    check(cpu::add(va, vb), [](float x, float y, float) { return x + y; });
    check(cpu::multiply(va, vb), [](float x, float y, float) { return x * y; });
    check(cpu::multiply_add(va, vb, vc), [](float x, float y, float z) { return x * y + z; });  // exact here
    check(cpu::maximum(va, vb), [](float x, float y, float) { return x > y ? x : y; });
    check(cpu::relu(va), [](float x, float, float) { return x > 0 ? x : 0; });
    check(cpu::broadcast(2.5f), [](float, float, float) { return 2.5f; });
    check(cpu::zero(), [](float, float, float) { return 0.0f; });
}

TEST_CASE("a NaN in either operand is the maximum, and a ReLU keeps it") {
    Line out{};
    for (const cpu::Vector result : {cpu::maximum(cpu::broadcast(nan), cpu::zero()),
                                     cpu::maximum(cpu::zero(), cpu::broadcast(nan)), cpu::relu(cpu::broadcast(nan))}) {
        cpu::store(out.values, result);
        for (int i = 0; i < cpu::vector_width; ++i) CHECK(std::isnan(out.values[i]));
    }
}

}  // namespace
