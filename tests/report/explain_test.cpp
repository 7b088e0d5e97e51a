// Explanations: places, gradients at them by finite differences, maps by hand, refusals.
#include <algorithm>
#include <cmath>
#include <span>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include <tenon/core/random.hpp>
#include <tenon/engine/reference.hpp>
#include <tenon/explain/explain.hpp>
#include <tenon/runtime/model.hpp>
#include <tenon/topology/block.hpp>
#include <tenon/topology/training_parts.hpp>

#include "../support.hpp"

namespace {

using namespace tenon;
using tenon_test::contains;
using tenon_test::error_of;

/// A network of three stages with everything that a path back may meet: shortcuts that branch before and after an
/// activation, strides, both poolings, groups, a gate, a dropout, a part that training recomputes, a softmax at the
/// end.
struct Stages
    : Network<Input<3, 12, 12>, Stem<Conv<6, Kernel<3>, Padding<1>, Bias>, MaxPool<Kernel<2>>, BatchNorm, ReLU>,
              Stack<2, 2>,
              Recompute<
                  Block<8, Basic, Shortcut<ShortcutKind::exclusive_gating>, Placement<ActivationPlacement::original>>>,
              Block<12, Basic, Stride<2>, PadShortcut>,
              Head<BatchNorm, ReLU, Dropout<>, GlobalAvgPool, Linear<5>, Softmax>> {};

std::vector<float> image_of(long elements, std::uint64_t seed) {
    std::vector<float> image;
    for (long i = 0; i < elements; ++i)
        image.push_back(static_cast<float>(
            detail::uniform(detail::random_bits(seed, 1, static_cast<std::uint64_t>(i)), -1.0, 1.0)));
    return image;
}

TEST_CASE("explanations: places are layers and scopes, in the order of their results") {
    const std::vector<std::string> places = explanations::places<Stages>();
    const auto at = [&](const std::string& name) { return std::ranges::find(places, name) - places.begin(); };
    const auto count = std::ssize(places);
    for (const char* name : {"stem.conv0", "stem", "stack0.block1.body.conv2", "stack0.block1.body", "stack0.block1",
                             "stack0", "block0.body", "block1", "head.relu0", "head"}) {
        CAPTURE(name);
        CHECK(at(name) < count);
        CHECK(std::ranges::count(places, name) == 1);
    }
    CHECK(at("stem.relu0") + 1 == at("stem"));
    CHECK(at("stack0.block0") < at("stack0.block1"));
    CHECK(at("stack0.block1") + 1 == at("stack0"));
    CHECK(at("head.dropout0") == count);
    CHECK(at("head.softmax0") == count);
}

TEST_CASE("explanations: a network is evaluated, not trained") {
    Parameters<Stages> parameters;
    parameters.seed(3);
    const std::vector<float> image = image_of(432, 4);
    const std::vector<double> input(image.begin(), image.end());
    const detail::GradientProgram program = detail::gradient_program_of(lowered<Stages>);
    reference::PlaceEngine<double> engine{program, parameters.values()};
    std::vector<double> logits = engine.value(input, program.output);
    Model<Stages, Reference<double>> model;
    model.set_parameters(parameters);
    const std::span<const double> expected = model(input);  // after the softmax
    double sum = 0;
    for (double& logit : logits) sum += logit = std::exp(logit);
    for (std::size_t i = 0; i < logits.size(); ++i)
        CHECK(logits[i] / sum == doctest::Approx(expected[i]).epsilon(1e-12));
}

TEST_CASE("explanations: gradients at every place equal finite differences") {
    Parameters<Stages> parameters;
    parameters.seed(7);
    const std::vector<float> image = image_of(432, 8);
    const std::vector<double> input(image.begin(), image.end());
    const detail::GradientProgram program = detail::gradient_program_of(lowered<Stages>);
    reference::PlaceEngine<double> engine{program, parameters.values()};
    constexpr double step = 1e-6;
    for (const detail::Place& place : detail::places_of(program.forward, program.layers)) {
        CAPTURE(place.name);
        for (const int label : {1, 4}) {
            const auto found =
                engine.gradients(input, place.value, [label](std::span<const double>) { return std::vector{label}; });
            const std::vector<double>& gradient = found.gradients.front().gradient;
            REQUIRE(gradient.size() == found.values.size());
            const double largest =
                std::abs(*std::ranges::max_element(gradient, {}, [](double g) { return std::abs(g); }));
            CHECK(largest > 1e-4);
            for (std::size_t k = 0; k < 5; ++k) {  // five of its elements
                const std::size_t i = (k * 7919 + 13) % gradient.size();
                std::vector<double> moved = found.values;
                moved[i] += step;
                const double above = engine.logits_with(input, place.value, moved)[static_cast<std::size_t>(label)];
                moved[i] -= 2 * step;
                const double below = engine.logits_with(input, place.value, moved)[static_cast<std::size_t>(label)];
                CHECK(std::abs((above - below) / (2 * step) - gradient[i]) <= 1e-6 * largest + 1e-9);
            }
        }
    }
}

TEST_CASE("explanations: maps by hand") {
    // Two channels of 1 x 2 pixels.
    const Shape shape{2, 1, 2};
    const std::vector<double> values{1, 2, 3, 4}, gradient{0.5, -0.1, -0.5, 0.25};
    const auto map = [&](explanations::Method method) {
        return detail::class_map<double>(method, shape, values, gradient);
    };
    using enum explanations::Method;
    // Means of the gradient: 0.2 and -0.125. 0.2 * 1 - 0.125 * 3 = -0.175; 0.2 * 2 - 0.125 * 4 = -0.1.
    CHECK(map(grad_cam) == std::vector<double>{0, 0});
    CHECK(detail::weighted_sum<double>(grad_cam, shape, values, gradient)[0] == doctest::Approx(-0.175));
    CHECK(detail::weighted_sum<double>(grad_cam, shape, values, gradient)[1] == doctest::Approx(-0.1));
    CHECK(map(hires_cam)[0] == 0);                     // 0.5 * 1 - 0.5 * 3 = -1
    CHECK(map(hires_cam)[1] == doctest::Approx(0.8));  // -0.1 * 2 + 0.25 * 4
    CHECK(map(layer_cam)[0] == doctest::Approx(0.5));  // 0.5 * 1
    CHECK(map(layer_cam)[1] == doctest::Approx(1.0));  // 0.25 * 4
    // Grad-CAM++: the sums of A are 3 and 7; the weights 0.5 * 0.25 / (0.5 + 3 * 0.125) = 1/7 and
    // 0.25 * 0.0625 / (0.125 + 7 * 0.015625) = 1/15.
    CHECK(map(grad_cam_plus_plus)[0] == doctest::Approx(1.0 / 7 + 3.0 / 15).epsilon(1e-5));
    CHECK(map(grad_cam_plus_plus)[1] == doctest::Approx(2.0 / 7 + 4.0 / 15).epsilon(1e-5));
}

/// Of a 2 x 2 image: twice and minus three times each pixel, their means, and logits of these.
struct Tiny : Network<Input<1, 2, 2>, Conv<2>, GlobalAvgPool, Linear<2>> {};

TEST_CASE("explanations: a network by hand") {
    Parameters<Tiny> parameters;
    const std::vector<float> weights{2, -3, /* linear: */ 4, 1, -1, 5, /* bias: */ 0.5f, 0.25f};
    REQUIRE(parameters.values().size() == weights.size());
    std::ranges::copy(weights, parameters.values().begin());
    const std::vector<float> image{1, 2, 0, -1};
    // Channel means: 1 and -1.5; logits: 4 - 1.5 + 0.5 = 3 and -1 - 7.5 + 0.25 = -8.25. The gradient of logit 0 is
    // 4 / 4 and 1 / 4 everywhere, so its map is 2 x - 0.75 x = 1.25 x; that of logit 1 is -0.5 x - 3.75 x = -4.25 x.
    const explanations::ClassMap first = explanations::explain(parameters, image);
    CHECK(first.place == "conv0");
    CHECK(first.label == 0);
    CHECK(first.logit == 3);
    CHECK(first.height == 2);
    CHECK(first.width == 2);
    CHECK(first.values == std::vector<float>{1.25f, 2.5f, 0, 0});
    CHECK(first.cost.forward_multiply_adds == 8 + 4);
    CHECK(first.cost.backward_multiply_adds == 4);
    CHECK(first.cost.backward_steps == 2);           // linear and pooling; the convolution is not on the path
    CHECK(first.cost.bytes == 4 * (8 + 2 + 8 + 2));  // the map, its gradient, and around the pooling two vectors of two
    CHECK(contains(to_string(first), "grad-cam at conv0, 2 x 2 pixels: 0.0 M multiply-adds forward"));

    const std::vector<explanations::ClassMap> both = explanations::explain_top(parameters, image, 2);
    REQUIRE(both.size() == 2);
    CHECK(both[0].values == first.values);
    CHECK(both[1].label == 1);
    CHECK(both[1].logit == -8.25);
    CHECK(both[1].values == std::vector<float>{0, 0, 0, 4.25f});
    CHECK(explanations::explain(parameters, image, {.label = 1}).values == both[1].values);
    CHECK(explanations::explain_top(parameters, image, 9, {.classes = 1}).size() == 1);

    CHECK(explanations::features(parameters, image, "global_average_pool0") == std::vector<float>{1, -1.5f});
    const std::vector<float> two{1, 2, 0, -1, 4, 0, 0, 0};
    CHECK(explanations::features(parameters, two, "global_average_pool0") == std::vector<float>{1, -1.5f, 2, -3});
}

TEST_CASE("explanations: what can't be explained is refused with a sentence") {
    Parameters<Tiny> parameters;
    const std::vector<float> image{1, 2, 0, -1}, half{1, 2};
    using explanations::explain;
    CHECK(error_of([&] { explain(parameters, image, {.place = "conv1"}); }) ==
          "the network has no place 'conv1'; its places are conv0, global_average_pool0, linear0");
    CHECK(error_of([&] { explanations::features(parameters, image, "stack0"); }) ==
          "the network has no place 'stack0'; its places are conv0, global_average_pool0, linear0");
    CHECK(contains(error_of([&] { explain(parameters, image, {.place = "linear0"}); }),
                   "the result of 'linear0' is [2], one pixel"));
    CHECK(contains(error_of([&] { explain(parameters, half); }), "expected one image, not 2"));
    CHECK(contains(error_of([&] { explanations::features(parameters, std::vector<float>(6), "conv0"); }),
                   "expected a positive multiple of that, not 6"));
    CHECK(contains(error_of([&] { explanations::features(parameters, {}, "conv0"); }), "not 0"));
    CHECK(contains(error_of([&] { explain(parameters, image, {.label = 2}); }), "classes 0 to 1"));
    CHECK(contains(error_of([&] { explain(parameters, image, {.label = -2}); }), "found -2"));
    CHECK(contains(error_of([&] { explain(parameters, image, {.classes = 3}); }), "at most the network's 2"));
    CHECK(contains(error_of([&] { explanations::explain_top(parameters, image, 0); }), "found 0"));
}

}  // namespace
