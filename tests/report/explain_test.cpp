// Explanations: places, gradients at them by finite differences, maps by hand, refusals.
#include <algorithm>
#include <cmath>
#include <span>
#include <string>
#include <utility>
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

/// The same without the softmax at its end.
struct Logits
    : Network<Input<3, 12, 12>, Stem<Conv<6, Kernel<3>, Padding<1>, Bias>, MaxPool<Kernel<2>>, BatchNorm, ReLU>,
              Stack<2, 2>, Head<BatchNorm, ReLU, GlobalAvgPool, Linear<5>>> {};

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

/// What Score-CAM is, in double: the naive loops of the reference backend, interpolation with aligned corners and a
/// softmax over channels, written out.
std::vector<double> naive_score_cam(const detail::GradientProgram& program, std::span<const float> parameters,
                                    const std::vector<double>& image, int place, std::size_t label) {
    reference::PlaceEngine<double> engine{program, parameters};
    const Shape in = program.values[0], at = program.values[detail::index(place)];
    const std::vector<double> values = engine.value(image, place);
    std::vector<double> scores;
    for (int c = 0; c < at.channels; ++c) {
        const auto value = [&](int y, int x) {
            return values[detail::index((c * at.height + std::min(y, at.height - 1)) * at.width +
                                        std::min(x, at.width - 1))];
        };
        std::vector<double> mask;
        for (int y = 0; y < in.height; ++y)
            for (int x = 0; x < in.width; ++x) {
                const double row = y * (at.height - 1.0) / (in.height - 1),
                             column = x * (at.width - 1.0) / (in.width - 1);
                const int r = static_cast<int>(row), s = static_cast<int>(column);
                const double down = row - r, right = column - s;
                mask.push_back((1 - down) * (1 - right) * value(r, s) + (1 - down) * right * value(r, s + 1) +
                               down * (1 - right) * value(r + 1, s) + down * right * value(r + 1, s + 1));
            }
        const double low = *std::ranges::min_element(mask), high = *std::ranges::max_element(mask);
        std::vector<double> masked = image;
        for (std::size_t i = 0; i < masked.size(); ++i)
            masked[i] *= (mask[i % mask.size()] - low) / (high - low + 1e-8);
        scores.push_back(engine.value(masked, program.output)[label]);
    }
    double sum = 0;
    for (const double score : scores) sum += std::exp(score);
    std::vector<double> map(detail::index(at.pixels()));
    for (std::size_t c = 0; c < scores.size(); ++c)
        for (std::size_t i = 0; i < map.size(); ++i) map[i] += std::exp(scores[c]) / sum * values[c * map.size() + i];
    for (double& value : map) value = std::max(value, 0.0);
    return map;
}

TEST_CASE("explanations: Score-CAM equals a naive one in double, with a Model as without") {
    Parameters<Logits> parameters;
    parameters.seed(11);
    const std::vector<float> image = image_of(432, 12);
    const detail::GradientProgram program = detail::gradient_program_of(lowered<Logits>);
    const int place = detail::value_at(detail::places_of(program.forward, program.layers), "stack0");
    explanations::Options options{.place = "stack0", .method = explanations::Method::score_cam};
    const std::vector<explanations::ClassMap> maps = explanations::explain_top(parameters, image, 2, options);
    REQUIRE(maps.size() == 2);
    for (const explanations::ClassMap& map : maps) {
        const std::vector<double> expected = naive_score_cam(program, parameters.values(), {image.begin(), image.end()},
                                                             place, static_cast<std::size_t>(map.label));
        REQUIRE(map.values.size() == expected.size());
        const double largest = *std::ranges::max_element(expected);
        CHECK(largest > 1e-3);
        for (std::size_t i = 0; i < expected.size(); ++i)
            CHECK(std::abs(static_cast<double>(map.values[i]) - expected[i]) <= 1e-5 * largest);
    }
    CHECK(maps[0].values != maps[1].values);
    CHECK(maps[0].cost.backward_steps == 0);

    Model<Logits> model;
    model.set_parameters(parameters);
    int images = 0;
    options.forward = [&](std::span<const float> batch) {
        images += static_cast<int>(batch.size() / image.size());
        return model(batch);
    };
    const explanations::ClassMap fast = explanations::explain(parameters, image, options);
    CHECK(images == program.values[detail::index(place)].channels);
    for (std::size_t i = 0; i < fast.values.size(); ++i)
        CHECK(fast.values[i] == doctest::Approx(maps[0].values[i]).epsilon(1e-4));
    options.forward = [](std::span<const float> batch) { return batch; };
    CHECK(contains(error_of([&] { explanations::explain(parameters, image, options); }),
                   "expected 5 logits for each of 8 images, found 3456"));
}

TEST_CASE("explanations: integrated gradients are complete") {
    Parameters<Stages> parameters;
    parameters.seed(7);
    const std::vector<float> image = image_of(432, 8);
    const auto attribute = [&](int steps, int label) {
        return explanations::attribute(
            parameters, image, {.method = explanations::Method::integrated_gradients, .label = label, .steps = steps});
    };
    for (const int label : {0, 3}) {
        const explanations::Attribution few = attribute(4, label), many = attribute(400, label);
        const double difference = std::abs(many.logit - many.baseline_logit);
        CHECK(difference > 0.02);
        // The network is linear between the kinks of its ReLUs and poolings: a kink costs at most the part that it is
        // in, so the gap is bounded by a constant over the number of steps.
        CHECK(std::abs(many.gap()) <= 4e-3 * difference);
        CHECK(std::abs(many.gap()) < std::abs(few.gap()));
    }
    // The map of pixels is the sum over channels, at least 0.
    const explanations::Attribution one = attribute(4, 3);
    const explanations::ClassMap map = explanations::explain(
        parameters, image, {.method = explanations::Method::integrated_gradients, .label = 3, .steps = 4});
    CHECK(map.place == "input");
    for (const std::size_t i : {std::size_t{0}, std::size_t{77}, std::size_t{143}})
        CHECK(map.values[i] ==
              doctest::Approx(std::max(0.0f, one.values[i] + one.values[144 + i] + one.values[288 + i])));
}

/// Of a pixel x: ReLU(2 x - 1), four times.
struct Kink : Network<Input<1, 1, 2>, Conv<1, Bias>, ReLU, GlobalAvgPool, Linear<2>> {};

TEST_CASE("explanations: integrated gradients by hand") {
    Parameters<Tiny> linear;
    const std::vector<float> weights{2, -3, /* linear: */ 4, 1, -1, 5, /* bias: */ 0.5f, 0.25f};
    std::ranges::copy(weights, linear.values().begin());
    // The gradient of logit 0 is 8 / 4 - 3 / 4 = 1.25 everywhere.
    const std::vector<float> image{1, 2, 0, -1};
    explanations::Options options{
        .method = explanations::Method::integrated_gradients, .label = 0, .steps = 1, .baseline = {1, 1, 1, 1}};
    const explanations::Attribution found = explanations::attribute(linear, image, options);
    CHECK(found.values == std::vector<float>{0, 1.25f, -1.25f, -2.5f});
    CHECK(found.logit == 3);
    CHECK(found.baseline_logit == 5.5);
    CHECK(found.gap() == doctest::Approx(0));

    Parameters<Kink> bent;
    const std::vector<float> of_kink{2, -1, /* linear: */ 8, -8, 0, 0};
    REQUIRE(bent.values().size() == of_kink.size());
    std::ranges::copy(of_kink, bent.values().begin());
    // 8 / 2 ReLU(2 x - 1): its gradient is 8 from x = 0.5 on. Of the way from 0 to 1 that is the second half, from 0 to
    // 0.4 nothing.
    options.baseline = {};
    options.steps = 6;
    const explanations::Attribution kink = explanations::attribute(bent, std::vector<float>{1, 0.4f}, options);
    CHECK(kink.values == std::vector<float>{4, 0});
    CHECK(kink.gap() == doctest::Approx(0));
    // With an odd number of steps the middle one is at the kink, where the gradient is 0: of 3 steps one counts.
    options.steps = 3;
    const explanations::Attribution coarse = explanations::attribute(bent, std::vector<float>{1, 0.4f}, options);
    CHECK(coarse.values[0] == doctest::Approx(8.0 / 3));
    CHECK(coarse.gap() == doctest::Approx(8.0 / 3 - 4));
}

struct Guided : Network<Input<2, 1, 3>, Conv<4>, ReLU, Conv<5>, ReLU, GlobalAvgPool, Linear<2>> {};

TEST_CASE("explanations: guided backpropagation equals a naive one in double") {
    Parameters<Guided> parameters;
    parameters.seed(5);
    const std::vector<float> image = image_of(6, 6);
    const auto weight = [&](int tensor) {
        const std::span<const float> found = std::as_const(parameters)[tensor];
        return std::vector<double>(found.begin(), found.end());
    };
    const std::vector<double> a = weight(0), b = weight(1), c = weight(2);
    REQUIRE(a.size() == 8);
    REQUIRE(b.size() == 20);
    int stopped = 0;  // gradients that a ReLU would have let pass without guidance
    for (const std::size_t label : {std::size_t{0}, std::size_t{1}}) {
        const explanations::Attribution found = explanations::attribute(
            parameters, image,
            {.method = explanations::Method::guided_backpropagation, .label = static_cast<int>(label)});
        for (std::size_t x = 0; x < 3; ++x) {
            double one[4]{}, two[5]{}, of_one[4]{};
            for (std::size_t o = 0; o < 4; ++o)
                for (std::size_t i = 0; i < 2; ++i) one[o] += a[o * 2 + i] * static_cast<double>(image[i * 3 + x]);
            for (double& value : one) value = std::max(value, 0.0);
            for (std::size_t o = 0; o < 5; ++o)
                for (std::size_t i = 0; i < 4; ++i) two[o] += b[o * 4 + i] * one[i];
            for (std::size_t o = 0; o < 5; ++o) {
                const double gradient = c[label * 5 + o] / 3;
                stopped += two[o] > 0 && gradient < 0 ? 1 : 0;
                if (two[o] > 0 && gradient > 0)
                    for (std::size_t i = 0; i < 4; ++i) of_one[i] += gradient * b[o * 4 + i];
            }
            for (std::size_t i = 0; i < 2; ++i) {
                double expected = 0;
                for (std::size_t o = 0; o < 4; ++o) {
                    stopped += one[o] > 0 && of_one[o] < 0 ? 1 : 0;
                    if (one[o] > 0 && of_one[o] > 0) expected += of_one[o] * a[o * 2 + i];
                }
                CHECK(static_cast<double>(found.values[i * 3 + x]) == doctest::Approx(expected).epsilon(1e-5));
            }
        }
        CHECK(std::isnan(found.baseline_logit));
    }
    CHECK(stopped > 3);
}

TEST_CASE("explanations: deletion and insertion by hand") {
    Parameters<Tiny> parameters;
    const std::vector<float> weights{2, -3, /* linear: */ 4, 1, -1, 5, /* bias: */ 0.5f, 0.25f};
    std::ranges::copy(weights, parameters.values().begin());
    // Of the mean m of the pixels the logits are 5 m + 0.5 and -17 m + 0.25.
    const auto probability = [](double mean) { return 1 / (1 + std::exp(-(22 * mean + 0.25))); };
    const std::vector<float> image{1, 2, 0, -1};
    const explanations::ClassMap map = explanations::explain(parameters, image);  // 1.25, 2.5, 0, 0
    const explanations::Evidence found = explanations::evidence(parameters, image, map, {.steps = 4});
    // The order of the pixels is 2, 1, 0, -1.
    const double deleted[] = {0.5, 0, -0.25, -0.25, 0}, inserted[] = {0, 0.5, 0.75, 0.75, 0.5};
    REQUIRE(found.deletion.size() == 5);
    REQUIRE(found.insertion.size() == 5);
    double area = 0;
    for (std::size_t i = 0; i < 5; ++i) {
        CHECK(found.deletion[i] == doctest::Approx(probability(deleted[i])).epsilon(1e-6));
        CHECK(found.insertion[i] == doctest::Approx(probability(inserted[i])).epsilon(1e-6));
        area += found.deletion[i] * (i % 4 == 0 ? 0.125 : 0.25);
    }
    CHECK(found.deletion_area() == doctest::Approx(area));
    CHECK(found.insertion_area() > 0.85);
    // Two steps of two pixels, another baseline, and what runs the network.
    int calls = 0;
    std::vector<float> logits;
    const explanations::Evidence other = explanations::evidence(
        parameters, image, map, {.steps = 2, .baseline = {1, 1, 1, 1}, .forward = [&](std::span<const float> one) {
                                     ++calls;
                                     float mean = 0;
                                     for (const float pixel : one) mean += pixel / 4;
                                     logits = {5 * mean + 0.5f, -17 * mean + 0.25f};
                                     return std::span<const float>(logits);
                                 }});
    CHECK(calls == 6);
    CHECK(other.deletion[1] == doctest::Approx(probability(0.25)).epsilon(1e-6));   // 1, 1, 0, -1
    CHECK(other.insertion[1] == doctest::Approx(probability(1.25)).epsilon(1e-6));  // 1, 2, 1, 1
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
    const auto of_pixels = [&](explanations::Options options) {
        options.method = explanations::Method::integrated_gradients;
        return error_of([&] { explain(parameters, image, options); });
    };
    CHECK(of_pixels({.place = "conv0"}) ==
          "integrated-gradients explains by the image's pixels, so it takes no place, found 'conv0'");
    CHECK(contains(of_pixels({.steps = 0}), "1 or more steps from the baseline to the image, found 0"));
    CHECK(contains(of_pixels({.baseline = half}), "expected a baseline as large as an image, 4 scalars, or none"));
    CHECK(contains(error_of([&] { explanations::attribute(parameters, image, {}); }), "found grad-cam"));
    const explanations::ClassMap map = explain(parameters, image);
    const auto evidence = [&](explanations::ClassMap of, const explanations::EvidenceOptions& options) {
        return error_of([&] { explanations::evidence(parameters, image, of, options); });
    };
    CHECK(contains(evidence(map, {.steps = 0}), "1 or more steps to replace"));
    CHECK(contains(evidence(map, {.baseline = half}), "expected a baseline as large as an image"));
    CHECK(contains(evidence({.label = 0, .height = 2, .width = 2, .values = half}, {}), "found 2 values"));
    CHECK(contains(evidence({.label = 2, .height = 1, .width = 2, .values = half}, {}), "classes 0 to 1"));
}

}  // namespace
