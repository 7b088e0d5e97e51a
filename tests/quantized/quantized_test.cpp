// Networks in 8-bit integers and in bfloat16: exact sums, the same bits everywhere, close to floats; and what a model
// says that lacks its ranges.
#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <iostream>
#include <limits>
#include <string>

#include <doctest/doctest.h>

#include <tenon/engine/cpu_with.hpp>
#include <tenon/io/safetensors.hpp>
#include <tenon/runtime/model.hpp>

#include "../backend/compare.hpp"
#include "../runtime/byte_images.hpp"
#include "../support.hpp"
#include "networks.hpp"

namespace quantized_test {
namespace {

template <class Net>
using Int8Model = Model<Net, CpuWith<Precision::int8>>;
template <class Net>
using Calibrator = CpuWith<Precision::int8>::Calibrator<Net>;

constexpr int network_count = std::tuple_size_v<Networks>;
template <int Index>
using NetworkOf = std::tuple_element_t<static_cast<std::size_t>(Index), Networks>;

template <class Net>
using Bfloat16Model = Model<Net, CpuWith<Precision::bfloat16>>;
template <int Index>
using Bfloat16NetworkOf = std::tuple_element_t<static_cast<std::size_t>(Index), Bfloat16Networks>;

/// Calls f.template operator()<Index>() for networks [Begin, End).
template <int Begin, int End, class F>
void for_each_network(const F& f) {
    [&]<int... I>(std::integer_sequence<int, I...>) { (f.template operator()<Begin + I>(), ...); }
    (std::make_integer_sequence<int, End - Begin>{});
}

/// An integer in [low, high] that depends on a seed and a position.
int draw(std::uint64_t seed, std::uint64_t position, int low, int high) {
    const auto bits = detail::random_bits(seed, 17, position);
    return low + static_cast<int>(bits % static_cast<std::uint64_t>(high - low + 1));
}

/// A network that is one product, after a ReLU or not, with integers for pixels, weights and biases, and what must come
/// out: every sum computed as an integer.
template <class Net>
struct ExactCase {
    static constexpr const auto& program = lowered<Net>;
    static constexpr const detail::Op& product = program.ops[program.ops.size() - 1];
    static constexpr bool bytes = program.ops.size() == 2;
    static constexpr Shape in = input_shape<Net>, out = output_shape<Net>;
    static constexpr int taps = product.window().taps();
    static constexpr bool interleaved = !bytes && in.channels < cpu::min_blocked_channels;
    static constexpr cpu::Storage storage = bytes         ? cpu::Storage::u8
                                            : interleaved ? cpu::Storage::s8
                                                          : cpu::Storage::s16;
    static constexpr int weight_limit = cpu::weight_limit_of(storage, in.channels* taps);
    static constexpr int pixel_limit = cpu::code_limit_of(storage, in.channels* taps);
    static_assert(!bytes || (weight_limit == 127 && pixel_limit == 255));

    std::vector<float> images, parameters, expected;
    float range = static_cast<float>(bytes || interleaved ? pixel_limit : pixel_limit / 2.0);  // a scale of 1

    /// `extreme`: all numbers are the largest, those of an output channel with one sign.
    explicit ExactCase(bool extreme, int count = 3) {
        const int lowest = bytes ? -20 : -pixel_limit;  // a ReLU makes zeros of what is negative
        for (std::size_t i = 0; i < static_cast<std::size_t>(count * in.elements()); ++i)
            images.push_back(static_cast<float>(extreme ? pixel_limit : draw(1, i, lowest, pixel_limit)));
        const int inputs = in.channels, depth = inputs * taps;
        std::vector<int> weights;
        for (int o = 0; o < out.channels; ++o)
            for (int i = 0; i < depth; ++i) {
                const auto position = static_cast<std::uint64_t>(o * depth + i);
                // The largest one of a channel decides its scale, which is 1.
                weights.push_back(extreme  ? (o % 2 == 0 ? weight_limit : -weight_limit)
                                  : i == 5 ? weight_limit
                                           : draw(2, position, -weight_limit, weight_limit));
            }
        for (const int weight : weights) parameters.push_back(static_cast<float>(weight));
        const bool has_bias = program.parameters.size() == 2;
        if (has_bias)
            for (int o = 0; o < out.channels; ++o)
                parameters.push_back(static_cast<float>(draw(3, static_cast<std::uint64_t>(o), -99, 99)));
        const detail::Window& window = product.window();
        for (int image = 0; image < count; ++image)
            for (int o = 0; o < out.channels; ++o)
                for (int y = 0; y < (out.is_flat() ? 1 : out.height); ++y)
                    for (int x = 0; x < (out.is_flat() ? 1 : out.width); ++x) {
                        std::int64_t sum = 0;
                        for (int i = 0; i < inputs; ++i)
                            for (int tap = 0; tap < taps; ++tap) {
                                const int height = in.is_flat() ? 1 : in.height, width = in.is_flat() ? 1 : in.width;
                                const int row = y * window.stride_height - window.top + tap / window.kernel_width;
                                const int column = x * window.stride_width - window.left + tap % window.kernel_width;
                                if (row < 0 || row >= height || column < 0 || column >= width) continue;
                                const float pixel = images[static_cast<std::size_t>(
                                    ((static_cast<long>(image) * inputs + i) * height + row) * width + column)];
                                if (bytes && pixel < 0) continue;
                                sum += static_cast<std::int64_t>(pixel) *
                                       weights[static_cast<std::size_t>((o * inputs + i) * taps + tap)];
                            }
                        REQUIRE(std::abs(sum) <= std::numeric_limits<std::int32_t>::max());
                        const float bias = has_bias ? parameters[weights.size() + static_cast<std::size_t>(o)] : 0.0f;
                        expected.push_back(static_cast<float>(sum) + bias);
                    }
    }
};

constexpr int exact_networks = 8;  // the first ones

/// How many of a network's steps are computed by Winograd.
template <class Net, cpu::Packing Packs = cpu::Packing::integers>
constexpr int winograd_steps() {
    int count = 0;
    for (const auto& step : cpu::QuantizedNetwork<Net, Packs>::plan.steps) count += step.winograd.m > 0 ? 1 : 0;
    return count;
}
static_assert(cpu::has_dot4 || (winograd_steps<Bytes3x3>() == 1 && winograd_steps<Bytes1x1>() == 0 &&
                                winograd_steps<BytesStrided>() == 0 && winograd_steps<WordsBlocks>() == 0));
static_assert(cpu::has_dot4 || (winograd_steps<Preactivated>() > 0 && winograd_steps<Postactivated>() > 0));

/// How many are computed by Strassen's algorithm.
template <class Net>
constexpr int strassen_steps() {
    int count = 0;
    for (const auto& step : cpu::QuantizedNetwork<Net, cpu::Packing::integers>::plan.steps)
        count += step.pair_floats > 0 ? 1 : 0;
    return count;
}
static_assert(cpu::has_dot4 || cpu::panel_blocks > 1 ||
              (strassen_steps<BytesDeep>() == 1 && strassen_steps<Deep>() == 3 && strassen_steps<Bytes1x1>() == 0));

// In bfloat16 it is a matter of shapes, not of the machine.
static_assert(winograd_steps<Winograd3x3, cpu::Packing::bfloat16>() == 4);
static_assert(winograd_steps<WordsBlocks, cpu::Packing::bfloat16>() == 0);

/// Checks one instruction set's sums, on 1 and 3 threads.
void check_exact(Run run) {
    for_each_network<0, exact_networks>([&]<int Index>() {
        for (const bool extreme : {false, true}) {
            CAPTURE(Index);
            CAPTURE(extreme);
            const ExactCase<NetworkOf<Index>> exact{extreme};
            for (const int threads : {1, 3}) {
                const std::vector<float> found = run(Index, exact.parameters, {&exact.range, 1}, exact.images, threads);
                CHECK(tenon_test::same_bytes(found, exact.expected));
            }
        }
    });
}

/// A calibrated network and images.
template <class Net>
struct Calibrated {
    Parameters<Net> parameters;
    std::vector<float> images = tenon_test::seeded_images<Net>(5), ranges;

    Calibrated() {
        parameters.seed(4, Naming::canonical);
        Parameters<Net> copy;
        copy.seed(4, Naming::canonical);
        Calibrator<Net> calibrator{std::move(copy), 2};
        calibrator.add(images);
        ranges = calibrator.input_ranges();
    }
};

void check_same_bits(Run run) {
    for_each_network<exact_networks, network_count>([&]<int Index>() {
        CAPTURE(Index);
        const Calibrated<NetworkOf<Index>> net;
        const auto results = [&](Run code, int threads) {
            return code(Index, net.parameters.values(), net.ranges, net.images, threads);
        };
        const std::vector<float> expected = results(run_generic, 1);
        for (const int threads : {1, 2, 3}) CHECK(tenon_test::same_bytes(results(run, threads), expected));
        // An image's results don't depend on its batch.
        const std::size_t in = static_cast<std::size_t>(input_shape<NetworkOf<Index>>.elements()), out = 10;
        const std::vector<float> alone =
            run(Index, net.parameters.values(), net.ranges, std::span(net.images).subspan(3 * in, in), 2);
        CHECK(tenon_test::same_bytes(alone, std::span(expected).subspan(3 * out, out)));
    });
}

void check(Run run, bool can_run, const char* isa) {
    if (!can_run) {
        std::cerr << "SKIPPED: " << isa << " is absent from this processor.\n";
        return;
    }
    check_exact(run);
    check_same_bits(run);
}

TEST_CASE("integers on generic: exact, and the same bits for any threads and batch") {
    check(run_generic, true, "generic");
}
#if defined(__x86_64__)
TEST_CASE("integers on avx2: exact, and the bits of generic code") {
    check(run_avx2, __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"), "avx2");
}
TEST_CASE("integers on avx512: exact, and the bits of generic code") {
    check(run_avx512,
          __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
              __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq"),
          "avx512");
}
TEST_CASE("integers on avx512vnni: exact, and the bits of generic code") {
    check(run_avx512vnni,
          __builtin_cpu_supports("avx512vnni") && __builtin_cpu_supports("avx512bw") &&
              __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq"),
          "avx512vnni");
}
#endif

/// In bfloat16: products of integers, whose sums are exact, and the bits of generic code for any threads and batch.
void check_bfloat16(RunBfloat16 run, bool can_run, const char* isa) {
    if (!can_run) {
        std::cerr << "SKIPPED: " << isa << " is absent from this processor.\n";
        return;
    }
    for_each_network<0, 3>([&]<int Index>() {
        CAPTURE(Index);
        const ExactCase<Bfloat16NetworkOf<Index>> exact{false};
        CHECK(tenon_test::same_bytes(run(Index, exact.parameters, exact.images, 2), exact.expected));
    });
    for_each_network<3, std::tuple_size_v<Bfloat16Networks>>([&]<int Index>() {
        CAPTURE(Index);
        using Net = Bfloat16NetworkOf<Index>;
        Parameters<Net> parameters;
        parameters.seed(4, Naming::canonical);
        const std::vector<float> images = tenon_test::seeded_images<Net>(5);
        const std::vector<float> expected = run_bfloat16_generic(Index, parameters.values(), images, 1);
        for (const int threads : {1, 2, 3})
            CHECK(tenon_test::same_bytes(run(Index, parameters.values(), images, threads), expected));
        const std::size_t in = static_cast<std::size_t>(input_shape<Net>.elements());
        const std::size_t out = static_cast<std::size_t>(output_shape<Net>.elements());
        const std::vector<float> alone = run(Index, parameters.values(), std::span(images).subspan(3 * in, in), 2);
        CHECK(tenon_test::same_bytes(alone, std::span(expected).subspan(3 * out, out)));
    });
}

TEST_CASE("bfloat16 on generic: exact, and the same bits for any threads and batch") {
    check_bfloat16(run_bfloat16_generic, true, "generic");
}
#if defined(__x86_64__)
TEST_CASE("bfloat16 on avx2: exact, and the bits of generic code") {
    check_bfloat16(run_bfloat16_avx2, __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"), "avx2");
}
TEST_CASE("bfloat16 on avx512: exact, and the bits of generic code") {
    check_bfloat16(run_bfloat16_avx512,
                   __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                       __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq"),
                   "avx512");
}
TEST_CASE("bfloat16 on avx512bf16: exact, and the bits of generic code") {
    check_bfloat16(run_bfloat16_avx512bf16,
                   __builtin_cpu_supports("avx512bf16") && __builtin_cpu_supports("avx512vnni") &&
                       __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
                       __builtin_cpu_supports("avx512dq"),
                   "avx512bf16");
}
#endif

TEST_CASE("floats are rounded to the nearest bfloat16, ties to even") {
    struct {
        std::uint32_t bits;
        std::uint16_t rounded;
    } const cases[] = {
        {0x3f800000, 0x3f80}, {0x3f808000, 0x3f80}, {0x3f808001, 0x3f81}, {0x3f818000, 0x3f82}, {0x3f817fff, 0x3f81},
        {0xbf818000, 0xbf82}, {0x7f7fffff, 0x7f80}, {0x7f800000, 0x7f80}, {0xff800000, 0xff80}, {0x7f800001, 0x7fc0},
        {0x7fffffff, 0x7fff}, {0xffc00000, 0xffc0}, {0x00000000, 0x0000}, {0x80000000, 0x8000}, {0x007fffff, 0x0000},
        {0x80000001, 0x8000}, {0x00800000, 0x0080},
    };
    for (const auto& each : cases) {
        CAPTURE(each.bits);
        CHECK(cpu::to_bfloat16(std::bit_cast<float>(each.bits)) == each.rounded);
    }
}

/// Each pixel goes through two convolutions, the first of which adds a bias; between them its values are stored.
struct Stored : Network<Input<16, 3, 5>, Conv<16, Kernel<1>, Bias>, Conv<16, Kernel<1>, Bias>> {};

TEST_CASE("a stored value is the rounded float; infinities and NaN stay what they are") {
    Parameters<Stored> parameters;
    const auto values = parameters.values();
    constexpr std::size_t weights = 16 * 16, layer = weights + 16;
    REQUIRE(values.size() == 2 * layer);
    for (std::size_t c = 0; c < 16; ++c) values[17 * c] = values[layer + 17 * c] = 1;
    for (std::size_t c = 0; c < 16; ++c) values[weights + c] = 1e-3f * static_cast<float>(c * c);
    std::vector<float> images = tenon_test::seeded_images<Stored>(2);
    Bfloat16Model<Stored> model{{.threads = 1}};
    model.set_parameters(parameters);
    const auto stored = model(images);
    for (std::size_t i = 0; i < images.size(); ++i) {
        const float pixel = cpu::from_bfloat16(cpu::to_bfloat16(images[i]));
        CHECK(stored[i] == cpu::from_bfloat16(cpu::to_bfloat16(pixel + values[weights + i / 15 % 16])));
    }
    // 0 * infinity and 0 * NaN are NaN: in all channels of their pixels but in no other pixel.
    images[0] = std::numeric_limits<float>::infinity();
    images[7] = std::bit_cast<float>(0x7fffffffu);
    const auto broken = model(images);
    for (std::size_t i = 0; i < images.size(); ++i)
        CHECK(std::isnan(broken[i]) == (i < images.size() / 2 && (i % 15 == 0 || i % 15 == 7)));
    // A NaN among the parameters reaches every result of its channel, whatever its other bits are.
    values[weights + 3] = std::bit_cast<float>(0xffffffffu);
    model.set_parameters(parameters);
    images[0] = images[7] = 0;
    const auto nans = model(images);
    CHECK(std::ranges::all_of(nans, [](float result) { return std::isnan(result); }));
}

struct Wide : Network<Input<64, 10, 10>, Conv<256, Kernel<3>, Stride<2>>, ReLU, Conv<256, Kernel<1>>> {};
struct WideByWinograd : Network<Input<64, 10, 10>, Conv<256, Kernel<3>>> {};
static_assert(200 * cpu::QuantizedNetwork<Wide, cpu::Packing::bfloat16>::plan.weight_floats <=
                  102 * cpu::CompiledNetwork<Wide, cpu::ConvAlgorithm::exact>::plan.weight_floats,
              "weights in bfloat16 take half the memory; shifts stay floats");
static_assert(100 * cpu::QuantizedNetwork<WideByWinograd, cpu::Packing::bfloat16>::plan.weight_floats <=
                  90 * cpu::CompiledNetwork<WideByWinograd, cpu::ConvAlgorithm::exact>::plan.weight_floats,
              "16 points of 2 bytes instead of 9 floats");

/// Groups, which are computed in floats, with integers before and after; a gate; a map that is flattened.
struct Mixed
    : Network<Input<3, 16, 18>, Conv<32, Kernel<3>, Padding<1>>, ReLU, Conv<32, Kernel<3>, Padding<1>, Groups<4>>, ReLU,
              Residual<Sequential<BatchNorm, ReLU, Conv<32, Kernel<1>>>, Conv<32, Kernel<1>>>, BatchNorm,
              Conv<24, Kernel<1>>, Sigmoid, MaxPool<Kernel<2>, Stride<2>>, Flatten, Linear<10>> {};

/// The length of the difference of two vectors as a share of that of the first.
double relative_error(std::span<const float> expected, std::span<const float> found) {
    double squares = 0, errors = 0;
    for (std::size_t i = 0; i < expected.size(); ++i) {
        const double difference = double{found[i]} - double{expected[i]};
        squares += double{expected[i]} * double{expected[i]};
        errors += difference * difference;
    }
    REQUIRE(squares > 0);
    return std::sqrt(errors / squares);
}

TEST_CASE_TEMPLATE("results are close to those in floats", Net, Preactivated, Postactivated, Mixed, Winograd3x3) {
    const Calibrated<Net> net;
    Model<Net> floats{{.threads = 1}};
    Int8Model<Net> integers{{.threads = 1}};
    Bfloat16Model<Net> halves{{.threads = 1}};
    floats.set_parameters(net.parameters);
    integers.set_parameters(net.parameters, net.ranges);
    halves.set_parameters(net.parameters);
    const auto expected = floats(net.images);
    const double of_integers = relative_error(expected, integers(net.images));
    INFO("relative error of all results in integers " << of_integers);
    CHECK(of_integers > 0);  // they are not floats
    CHECK(of_integers < 0.02);
    const double of_halves = relative_error(expected, halves(net.images));
    INFO("relative error of all results in bfloat16 " << of_halves);
    CHECK(of_halves > 0);
    CHECK(of_halves < 0.01);
}

TEST_CASE_TEMPLATE("images of bytes give the bits of the floats that they stand for", Net, Preactivated, Postactivated,
                   Mixed, Image1Channel, Flattened) {
    const Calibrated<Net> net;
    Int8Model<Net> integers{{.threads = 2}};
    Bfloat16Model<Net> halves{{.threads = 2}};
    integers.set_parameters(net.parameters, net.ranges);
    halves.set_parameters(net.parameters);
    const tenon_test::ByteImages<Net> images{3};
    CHECK(tenon_test::same_bytes(images.run(integers), integers(images.floats)));
    CHECK(tenon_test::same_bytes(images.run(halves), halves(images.floats)));
}

TEST_CASE("a calibrated file holds weights and ranges, for models in floats and in integers") {
    using Net = Preactivated;
    tenon_test::TemporaryFolder folder;
    const std::string calibrated = folder.file("int8.safetensors"), plain = folder.file("plain.safetensors");
    const Calibrated<Net> net;
    Parameters<Net> copy;
    copy.seed(4, Naming::canonical);
    Calibrator<Net> calibrator{std::move(copy)};
    calibrator.add(net.images);
    CHECK(calibrator.images() == 5);
    calibrator.save(calibrated, Naming::canonical);
    net.parameters.save(plain, Naming::canonical);
    CHECK(tenon_test::same_bytes(SafetensorsFile{calibrated}.values<float>("int8.input_ranges"), net.ranges));

    Int8Model<Net> expected, loaded;
    expected.set_parameters(net.parameters, net.ranges);
    loaded.load(calibrated, Naming::canonical);
    CHECK(tenon_test::same_bytes(loaded(net.images), expected(net.images)));
    Model<Net> floats, from_calibrated;
    floats.load(plain, Naming::canonical);
    from_calibrated.load(calibrated, Naming::canonical);
    CHECK(tenon_test::same_bytes(from_calibrated(net.images), floats(net.images)));

    const std::string error = tenon_test::error_of([&] { loaded.load(plain, Naming::canonical); });
    INFO(error);
    CHECK(tenon_test::contains(error, "plain.safetensors: 8-bit integers need the ranges"));
    CHECK(tenon_test::contains(error, "classify --calibrate FOLDER --save FILE"));
    CHECK(tenon_test::same_bytes(loaded(net.images), expected(net.images)));  // unchanged

    // Parameters are outside of any precision: whoever loads and saves them hands the ranges on.
    const std::string again = folder.file("again.safetensors");
    std::vector<float> ranges{1};
    const Parameters<Net> copied{calibrated, {.naming = Naming::canonical, .input_ranges = &ranges}};
    copied.save(again, Naming::canonical, {}, DType::f32, ranges);
    CHECK(tenon_test::same_bytes(ranges, net.ranges));
    CHECK(tenon_test::read_file(again) == tenon_test::read_file(calibrated));
    copied.save(again, Naming::canonical, {}, DType::f16, ranges);  // ranges stay floats
    CHECK(tenon_test::same_bytes(SafetensorsFile{again}.values<float>("int8.input_ranges"), net.ranges));
    const Parameters<Net> without{plain, {.naming = Naming::canonical, .input_ranges = &ranges}};
    CHECK(ranges.empty());
}

TEST_CASE("ranges that don't fit are refused, and the model keeps its weights") {
    using Net = Preactivated;
    const Calibrated<Net> net;
    Int8Model<Net> model;
    CHECK(tenon_test::contains(tenon_test::error_of([&] { model.set_parameters(net.parameters); }),
                               "with CpuWith<Precision::int8>::Calibrator"));
    model.set_parameters(net.parameters, net.ranges);
    const std::vector<float> before(model(net.images).begin(), model(net.images).end());
    std::vector<float> ranges = net.ranges;
    ranges.pop_back();
    CHECK(tenon_test::error_of([&] { model.set_parameters(net.parameters, ranges); }) ==
          "the network has 16 convolutions and linear layers, but the weights have the ranges of 15");
    ranges = net.ranges;
    ranges[3] = std::numeric_limits<float>::quiet_NaN();
    CHECK(tenon_test::contains(tenon_test::error_of([&] { model.set_parameters(net.parameters, ranges); }),
                               "must be finite numbers from 0 on; one is nan"));
    // NaN has no code, so what is computed from it would be finite.
    Parameters<Net> undefined;
    std::ranges::copy(net.parameters.values(), undefined.values().begin());
    undefined[2][1] = std::numeric_limits<float>::quiet_NaN();
    for (const auto& error : {tenon_test::error_of([&] { model.set_parameters(undefined, net.ranges); }),
                              tenon_test::error_of([&] { Calibrator<Net>{std::move(undefined)}; })})
        CHECK(error ==
              "8-bit integers need finite weights; parameter 2 of the network has a value that is infinite or NaN");
    CHECK(tenon_test::same_bytes(model(net.images), before));
}

TEST_CASE("calibration refuses what it can't use, and survives constants") {
    using Net = Preactivated;
    Parameters<Net> parameters;
    parameters.seed(1, Naming::canonical);
    Calibrator<Net> calibrator{std::move(parameters)};
    CHECK(tenon_test::contains(tenon_test::error_of([&] { calibrator.input_ranges(); }), "has seen no images"));
    std::vector<float> images = tenon_test::seeded_images<Net>(2);
    images.back() = std::numeric_limits<float>::quiet_NaN();
    CHECK(tenon_test::error_of([&] { calibrator.add(images); }) ==
          "image 2 of the batch for calibration has a pixel that is NaN; expected finite numbers");
    images.back() = std::numeric_limits<float>::infinity();
    CHECK(tenon_test::contains(tenon_test::error_of([&] { calibrator.add(images); }), "a pixel that is infinite"));
    images.pop_back();
    CHECK(
        tenon_test::contains(tenon_test::error_of([&] { calibrator.add(images); }), "is a positive multiple of that"));
    CHECK(calibrator.images() == 0);

    // Weights of zero: every layer but the first reads what is constant.
    Calibrator<Net> constant{Parameters<Net>{}};
    const std::vector<float> zeros(static_cast<std::size_t>(input_shape<Net>.elements()));
    constant.add(zeros);
    for (const float range : constant.input_ranges()) CHECK(std::isfinite(range));
    Int8Model<Net> model;
    model.set_parameters(constant.parameters(), constant.input_ranges());
    for (const float result : model(zeros)) CHECK(std::isfinite(result));
}

TEST_CASE("the range of values from 0 on has the least squared error") {
    // 10,000 values up to 1, and one outlier: cutting it off costs (8 - r)^2, keeping it rounds all others in larger
    // steps, which costs 10,000 * (r / 255)^2 / 12.
    cpu::SizeHistogram sizes;
    for (int i = 1; i <= 10000; ++i) sizes.add(static_cast<float>(i) / 10000);
    CHECK(sizes.best_range() == doctest::Approx(1).epsilon(0.03));
    for (int i = 0; i < 1000; ++i) sizes.add(0);  // zeros are exact, and don't count
    sizes.add(8);
    double least = 1e9, best = 0;
    for (double range = 0.5; range <= 8; range += 0.01) {
        double error = (8 - range) * (8 - range);
        for (int i = 1; i <= 10000; ++i) {
            const double value = i / 10000.0, step = range / 255;
            error += value > range ? (value - range) * (value - range) : std::min(step * step / 12, value * value);
        }
        if (error < least) {
            least = error;
            best = range;
        }
    }
    CHECK(double{sizes.best_range()} == doctest::Approx(best).epsilon(0.05));
}

}  // namespace
}  // namespace quantized_test
