// Conversions of numbers in a kernel, which nvcc translates to instructions of the device, against those of the host.
#include <cmath>
#include <vector>

#include <doctest/doctest.h>

#include <tenon/backend/cuda/kernels/map.hpp>
#include <tenon/core/random.hpp>

#include "kernel_runner.hpp"

namespace {

using namespace tenon;

/// Rounds floats, given by their bits, to all types, and converts half precision back.
struct ConvertBody {
    static constexpr const char* name = "convert";
    long count = 0;
    const std::uint32_t* source = nullptr;
    cuda::BFloat16* bfloats = nullptr;
    cuda::Float16* halves = nullptr;
    std::uint32_t *tensor_floats = nullptr, *floats = nullptr, *positives = nullptr;

    TENON_DEVICE void operator()(long i) const {
        const float value = cuda::float_of_bits(source[i]);
        bfloats[i] = cuda::from_float<cuda::BFloat16>(value);
        halves[i] = cuda::from_float<cuda::Float16>(value);
        tensor_floats[i] = cuda::round_to_tensor_float(source[i]);
        floats[i] = cuda::bits_of(cuda::to_float(cuda::Float16{static_cast<std::uint16_t>(source[i] >> 16)}));
        positives[i] = cuda::bits_of(cuda::positive_part(value));
    }
};

/// Equal bits, or NaNs both, as devices don't keep a NaN's payload.
template <class Number>
bool same(Number a, Number b) {
    const float x = cuda::to_float(a), y = cuda::to_float(b);
    return (std::isnan(x) && std::isnan(y)) || std::memcmp(&a, &b, sizeof a) == 0;
}
bool same_bits(std::uint32_t a, std::uint32_t b) { return same(cuda::float_of_bits(a), cuda::float_of_bits(b)); }

TEST_CASE("numbers are converted in a kernel as on the host") {
    std::vector<std::uint32_t> source;
    for (std::uint32_t exponent = 0; exponent < 512; ++exponent)  // and sign; mantissas at and beside ties
        for (const std::uint32_t mantissa : {0x0u, 0x1u, 0xfffu, 0x1000u, 0x1001u, 0x1fffu, 0x3000u, 0x7fffu, 0x8000u,
                                             0x8001u, 0x18000u, 0x400000u, 0x7fefffu, 0x7ff000u, 0x7fffffu})
            source.push_back(exponent << 23 | mantissa);
    for (std::uint64_t i = 0; i < 4096; ++i) source.push_back(static_cast<std::uint32_t>(detail::random_bits(1, 2, i)));
    tenon_test::KernelRunner runner;
    ConvertBody body{};
    const std::size_t count = source.size();
    body.count = static_cast<long>(count);
    body.source = runner.put(source);
    body.bfloats = runner.room<cuda::BFloat16>(count);
    body.halves = runner.room<cuda::Float16>(count);
    body.tensor_floats = runner.room<std::uint32_t>(count);
    body.floats = runner.room<std::uint32_t>(count);
    body.positives = runner.room<std::uint32_t>(count);
    using Kernel = cuda::MapKernel<ConvertBody>;
    runner.run<Kernel>(Kernel::grid(body), body);
    const auto bfloats = runner.get(body.bfloats, count);
    const auto halves = runner.get(body.halves, count);
    const auto tensor_floats = runner.get(body.tensor_floats, count), floats = runner.get(body.floats, count),
               positives = runner.get(body.positives, count);
    std::size_t wrong = 0;
    for (std::size_t i = 0; i < count; ++i) {
        const float value = cuda::float_of_bits(source[i]);
        const cuda::Float16 half{static_cast<std::uint16_t>(source[i] >> 16)};
        wrong += !same(bfloats[i], cuda::from_float<cuda::BFloat16>(value));
        wrong += !same(halves[i], cuda::from_float<cuda::Float16>(value));
        wrong += !same_bits(tensor_floats[i], cuda::round_to_tensor_float(source[i]));
        wrong += !same_bits(floats[i], cuda::bits_of(cuda::to_float(half)));
        wrong += !same_bits(positives[i], cuda::bits_of(cuda::positive_part(value)));
    }
    CHECK(wrong == 0);
}

}  // namespace
