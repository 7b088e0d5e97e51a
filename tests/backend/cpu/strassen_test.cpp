// Pointwise convolutions by Strassen's algorithm against the reference, and where it is chosen.
#include "../../support.hpp"
#include "../compare.hpp"

namespace {

using namespace tenon;
using tenon_test::compare_with_reference;
using tenon_test::seeded_images;

/// How many of a network's steps are computed by Strassen's algorithm and satisfy `f`.
template <class Net, cpu::ConvAlgorithm Algorithm = cpu::ConvAlgorithm::fast, class F>
consteval int strassen_steps(F f) {
    int count = 0;
    const auto add = [&](const auto& steps) {
        for (const cpu::Step& step : steps) count += step.pair_floats > 0 && f(step);
    };
    add(cpu::CompiledNetwork<Net, Algorithm>::plan.steps);
    add(cpu::CompiledNetwork<Net, Algorithm>::plan.followers);
    return count;
}
constexpr auto any_step = [](const cpu::Step&) { return true; };
constexpr auto with_mixed_pairs = [](const cpu::Step& step) { return cpu::strassen_pairs(step.grid).mixed; };

/// A pointwise convolution between two that are too small for it.
template <int Height, int Width, int Inputs, int Outputs>
struct Pointwise : Network<Input<3, Height, Width>, Conv<Inputs, Bias>, Conv<Outputs, Bias>, Conv<5>> {};

// It is chosen where it gains, never for few channels, odd numbers of panels, strides, groups, or when exactness is
// asked for.
using Even14 = Pointwise<14, 14, 256, 512>;
static_assert(strassen_steps<Even14>(any_step) == 1);
static_assert(strassen_steps<Even14, cpu::ConvAlgorithm::exact>(any_step) == 0);
static_assert(strassen_steps<Pointwise<14, 14, 32, 32>>(any_step) == 0 || cpu::tile_pixels < 6);
static_assert(strassen_steps<Pointwise<14, 14, 256, 2 * 16 * cpu::panel_blocks + 16>>(any_step) == 0);
struct StridedPointwise : Network<Input<3, 14, 14>, Conv<256, Bias>, Conv<512, Stride<2>, Bias>, Conv<5>> {};
struct GroupedPointwise : Network<Input<3, 14, 14>, Conv<256, Bias>, Conv<512, Groups<2>, Bias>, Conv<5>> {};
static_assert(strassen_steps<StridedPointwise>(any_step) == 0 && strassen_steps<GroupedPointwise>(any_step) == 0);

TEST_CASE("pairs of equal and of unequal tiles") {
    using Odd7 = Pointwise<7, 7, 256, 512>;
    static_assert(strassen_steps<Odd7>(with_mixed_pairs) == 1);
    static_assert(strassen_steps<Even14>(with_mixed_pairs) == 0 || cpu::tile_pixels != 14);
    compare_with_reference<Even14>();
    compare_with_reference<Odd7>();
    compare_with_reference<Pointwise<5, 11, 128, 512>>();
    compare_with_reference<Pointwise<9, 9, 512, 256>>();
}

TEST_CASE("channels that do not fill their blocks") {
    using Ragged = Pointwise<14, 14, 249, 507>;  // 16 and 32 blocks
    static_assert(strassen_steps<Ragged>(any_step) == 1);
    compare_with_reference<Ragged>();
}

TEST_CASE("weights that are streamed product by product") {
    using Streamed = Pointwise<7, 7, 1024, 1536>;
    static_assert(strassen_steps<Streamed>([](const cpu::Step& step) { return step.pair_panels > 1; }) == 1 ||
                  cpu::panel_blocks == 1);
    for (const int threads : {1, 3}) compare_with_reference<Streamed>(3, 4, threads);
}

/// A bottleneck whose pointwise convolutions read a residual, a projection and two results, and write borders.
template <int Size, int Width>
struct Blocks
    : Network<Input<3, Size, Size>, Conv<4 * Width, Bias>, Block<Width>, Block<Width>, Block<Width, ConvShortcut>,
              BatchNorm, ReLU, Conv<4 * Width, Bias>, ReLU, Conv<5, Kernel<3>, Padding<1>>> {};

TEST_CASE("residuals, projections, second results and borders") {
    using Small = Blocks<7, 256>;
    constexpr auto with_projection = [](const cpu::Step& step) { return step.terms[1].exists(); };
    constexpr auto with_residual = [](const cpu::Step& step) { return step.residual.exists(); };
    constexpr auto with_two_results = [](const cpu::Step& step) {
        return step.target.exists() && step.activated.exists();
    };
    static_assert(strassen_steps<Small>(with_projection) > 0 && strassen_steps<Small>(with_residual) > 0 &&
                  strassen_steps<Small>(with_two_results) > 0);
    constexpr auto over_two_rows = [](const cpu::Step& step) { return step.grid.crossings() == 2; };
    static_assert(strassen_steps<Small>(over_two_rows) > 0 || cpu::tile_pixels != 14);
    compare_with_reference<Small>();
    compare_with_reference<Blocks<14, 64>>();
    compare_with_reference<Blocks<9, 128>>(2);
}

TEST_CASE("a residual of every second pixel, and a norm without ReLU after the sum") {
    struct Net : Network<Input<3, 28, 28>, Conv<512, Bias>, Block<128, Stride<2>>, BatchNorm, Conv<64>> {};
    constexpr auto with_both = [](const cpu::Step& step) {
        return step.residual_stride == 2 && step.activated.exists() && !step.activated_relu;
    };
    static_assert(strassen_steps<Net>(with_both) == 1 || cpu::tile_pixels != 14);
    compare_with_reference<Net>();
}

TEST_CASE("chains") {
    using LargeMaps = Blocks<56, 64>;
    constexpr auto in_chain = [](const cpu::Step& step) {
        return step.source().is_strip() || step.activated.is_strip();
    };
    static_assert(strassen_steps<LargeMaps>(in_chain) > 0 || cpu::panel_blocks == 1);
    compare_with_reference<LargeMaps>(1, 4, 3);
}

TEST_CASE("an image's result depends neither on the threads nor on the batch, to the bit") {
    using Net = Blocks<7, 256>;
    Parameters<Net> parameters;
    parameters.seed(7, Naming::canonical);
    const std::vector<float> images = seeded_images<Net>(5);
    const auto one = static_cast<std::size_t>(input_shape<Net>.elements());
    std::vector<float> expected;
    for (const int threads : {1, 2, 3, 5})
        for (const int in_flight : {1, 2, 5}) {
            Model<Net> model{{.threads = threads, .images_in_flight = in_flight}};
            model.set_parameters(parameters);
            const auto together = model(images);
            if (expected.empty()) expected.assign(together.begin(), together.end());
            CHECK(tenon_test::same_bytes(expected, together));
            const std::size_t results = expected.size() / 5;
            const auto alone = model(std::span(images).subspan(3 * one, one));
            CHECK(tenon_test::same_bytes(std::span(expected).subspan(3 * results, results), alone));
        }
}

}  // namespace
