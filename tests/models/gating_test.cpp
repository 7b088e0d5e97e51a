// The operations of gated and parameterless shortcuts: what they compute, on both backends, and what is refused.
#include <algorithm>
#include <cmath>
#include <vector>

#include <doctest/doctest.h>

#include <tenon/engine/reference.hpp>
#include <tenon/runtime/model.hpp>
#include <tenon/topology/channel_ops.hpp>
#include <tenon/topology/pooling.hpp>

namespace {
using namespace tenon;

template <class Net, class Backend = Cpu>
std::vector<double> results_of(const Parameters<Net>& parameters, const std::vector<float>& images) {
    Model<Net, Backend> model{{.threads = 1}};
    model.set_parameters(parameters);
    const std::vector<typename Backend::template Engine<Net>::Scalar> input(images.begin(), images.end());
    const auto results = model(input);
    return {results.begin(), results.end()};
}

template <class Net>
void expect_equal_backends(int images) {
    Parameters<Net> parameters;
    parameters.seed(3);
    std::vector<float> input(static_cast<std::size_t>(images * input_shape<Net>.elements()));
    for (std::size_t i = 0; i < input.size(); ++i)
        input[i] = static_cast<float>(detail::uniform(detail::random_bits(5, 0, i), -1, 1));
    const auto expected = results_of<Net, Reference<double>>(parameters, input);
    const auto got = results_of<Net>(parameters, input);
    double largest = 0;
    for (const double value : expected) largest = std::max(largest, std::abs(value));
    REQUIRE(largest > 0.1);
    for (std::size_t i = 0; i < expected.size(); ++i) CHECK(std::abs(got[i] - expected[i]) < 1e-5 * largest);
}

struct Plain : Network<Input<3, 5, 4>, Scale<-1, 2>, PadChannels<20, Stride<2>>> {};
static_assert(output_shape<Plain> == Shape{20, 3, 2});
static_assert(parameter_count<Plain> == 0);

struct Squashed : Network<Input<3, 2, 2>, Product<Sigmoid, Scale<3>>> {};

// Eight channels of twenty are in a block that the source shares, four are zeros before them.
struct Padded : Network<Input<3, 9, 7>, Conv<12, Kernel<3>, Padding<1>>, ReLU, PadChannels<20>, Conv<24, Kernel<3>>,
                        PadChannels<72, Stride<2>>, BatchNorm, ReLU, Conv<5>> {};

struct Gated
    : Network<Input<3, 8, 8>, Conv<20, Kernel<3>, Padding<1>>, BatchNorm, ReLU,
              GatedResidual<Sequential<Conv<20, Kernel<3>, Padding<1>>, BatchNorm>, Identity, Conv<20, Bias>>, ReLU,
              Residual<Sequential<Conv<20, Kernel<3>, Padding<1>>, BatchNorm>,
                       Product<Identity, Sequential<Conv<20, Bias>, Scale<-1>, Sigmoid>>>,
              Residual<Sequential<Conv<20>, BatchNorm, Scale<1, 2>>, Scale<1, 2>>, ReLU,
              Residual<Sequential<Conv<20>, BatchNorm>, PadChannels<20>>, BatchNorm, ReLU, GlobalAvgPool> {};

struct Normalised : Network<Input<3, 6, 6>, BatchNormWith<NoAffine, Epsilon<2, 100000>>, Conv<4, Kernel<3>>> {};
static_assert(parameter_count<Normalised> == 4 * 3 * 9);
static_assert(state_count<Normalised> == 4 * 3 * 9 + 6);

TEST_CASE("scaling, subsampling and padding of channels by hand") {
    std::vector<float> image(60);
    for (std::size_t i = 0; i < image.size(); ++i) image[i] = static_cast<float>(i + 1);
    for (const auto& got : {results_of<Plain>({}, image), results_of<Plain, Reference<double>>({}, image)}) {
        REQUIRE(got.size() == 120);
        for (int c = 0; c < 20; ++c)
            for (int y = 0; y < 3; ++y)
                for (int x = 0; x < 2; ++x) {
                    const int from = c - 8;  // 17 more channels: 8 before, 9 after
                    const double expected = from < 0 || from > 2 ? 0 : -0.5 * (1 + from * 20 + y * 8 + x * 2);
                    CHECK(got[static_cast<std::size_t>((c * 3 + y) * 2 + x)] == expected);
                }
    }
}

TEST_CASE("a product with a sigmoid, far from zero too") {
    const std::vector<float> image{0, 1, -1, 3, 20, -20, 90, -90, 100, -100, 1e-3f, -5};
    for (const auto& got : {results_of<Squashed>({}, image), results_of<Squashed, Reference<double>>({}, image)})
        for (std::size_t i = 0; i < image.size(); ++i) {
            const double x = image[i], expected = 3 * x / (1 + std::exp(-x));
            CHECK(std::abs(got[i] - expected) <= 1e-6 * std::abs(expected) + 1e-30);
        }
}

TEST_CASE("both backends agree") {
    expect_equal_backends<Padded>(2);
    expect_equal_backends<Gated>(2);
    expect_equal_backends<Normalised>(3);
}

TEST_CASE("the gate is computed once and its weights stand once in the program") {
    const auto names = detail::parameter_names<Gated>();
    CHECK(std::count(names.begin(), names.end(), "block0.gate.conv0.weight") == 1);
    CHECK(std::count(names.begin(), names.end(), "block0.gate.conv0.bias") == 1);
}

// Fewer channels than the input has, and a product of different shapes, are refused.
constexpr Reason reason_of(Cursor (*lower)(Builder&, Cursor)) {
    Builder builder;
    lower(builder, builder.input({8, 4, 4}));
    return builder.rejection().reason;
}
static_assert(reason_of(&PadChannels<7>::lower) == Reason::cannot_drop_channels);
static_assert(reason_of(&PadChannels<8, Stride<0>>::lower) == Reason::size_is_not_positive);
static_assert(reason_of(&Product<Identity, Conv<7>>::lower) == Reason::factors_disagree);
static_assert(reason_of(&Product<Identity, Conv<8>>::lower) == Reason::none);
}  // namespace
