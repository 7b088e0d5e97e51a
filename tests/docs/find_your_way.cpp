// What the snippets of docs/how_to/find_your_way.md define, compared with the formulas that they stand for. This file
// follows the snippets (compile_snippets.py --check): each is in the namespace that its mark names.
#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include <algorithm>
#include <cmath>
#include <numeric>

#include <doctest/doctest.h>

#include <tenon/tenon.hpp>

using namespace tenon;

namespace {

/// Numbers in [-2, 2] that differ from each other.
std::vector<float> numbers(int count) {
    std::vector<float> result(static_cast<std::size_t>(count));
    std::uint64_t index = 0;
    for (float& value : result) value = static_cast<float>(detail::uniform(detail::random_bits(1, 2, index++), -2, 2));
    return result;
}

template <class Net>
std::vector<float> results_of(const Parameters<Net>& parameters, std::span<const float> image) {
    Model<Net> model{{.threads = 1}};
    model.set_parameters(parameters);
    const auto results = model(image);
    return {results.begin(), results.end()};
}

template <class Net>
Parameters<Net> seeded() {
    Parameters<Net> parameters;
    parameters.seed(3);
    return parameters;
}

void check_near(std::span<const float> got, std::span<const double> expected) {
    REQUIRE(got.size() == expected.size());
    int wrong = 0;
    for (std::size_t i = 0; i < got.size(); ++i)
        if (!(std::abs(got[i] - expected[i]) < 1e-5 * (1 + std::abs(expected[i])))) ++wrong;  // NaN is wrong too
    CHECK(wrong == 0);
}

double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

/// A convolution with a square kernel that keeps the size of the map, plus a bias if there is one; torch's formula in
/// double.
std::vector<double> convolution(std::span<const double> x, Shape shape, std::span<const double> weights, int kernel,
                                int channels, std::span<const float> bias = {}) {
    std::vector<double> y(channels * shape.height * shape.width);
    for (int o = 0; o < channels; ++o)
        for (int row = 0; row < shape.height; ++row)
            for (int column = 0; column < shape.width; ++column) {
                double sum = bias.empty() ? 0 : bias[o];
                for (int i = 0; i < shape.channels; ++i)
                    for (int v = 0; v < kernel; ++v)
                        for (int u = 0; u < kernel; ++u) {
                            const int r = row + v - kernel / 2, c = column + u - kernel / 2;
                            if (r < 0 || c < 0 || r >= shape.height || c >= shape.width) continue;
                            sum += weights[((o * shape.channels + i) * kernel + v) * kernel + u] *
                                   x[(i * shape.height + r) * shape.width + c];
                        }
                y[(o * shape.height + row) * shape.width + column] = sum;
            }
    return y;
}

std::vector<double> relu(std::vector<double> x) {
    for (double& value : x) value = std::max(value, 0.0);
    return x;
}

std::vector<double> widened(std::span<const float> x) { return {x.begin(), x.end()}; }

template <class Activation, class Formula>
void check_activation(Formula formula) {
    using Net = Network<Input<4, 5, 5>, Activation>;
    const std::vector<float> x = numbers(100);
    std::vector<double> expected;
    for (float value : x) expected.push_back(formula(static_cast<double>(value)));
    check_near(results_of<Net>({}, x), expected);
}

}  // namespace

TEST_CASE("activations equal their formulas") {
    check_activation<activations::SiLU>([](double x) { return x * sigmoid(x); });
    check_activation<activations::QuickGELU>([](double x) { return x * sigmoid(1.702 * x); });
    check_activation<activations::LeakyReLU>([](double x) { return x > 0 ? x : 0.1 * x; });
}

TEST_CASE("squeeze-and-excitation scales each channel by a gate of all channels' averages") {
    using Net = Network<Input<8, 6, 6>, squeeze_excite::SqueezeExcite<8, 6, 2>>;
    const Parameters<Net> p = seeded<Net>();
    REQUIRE(p.count() == 4);
    std::vector<float> x = numbers(8 * 36);
    for (int i = 0; i < 8 * 36; ++i) x[i] += i / 36 - 3;  // so that averages differ
    std::vector<double> average(8);
    for (int c = 0; c < 8; ++c) average[c] = std::accumulate(&x[c * 36], &x[c * 36] + 36, 0.0) / 36;
    const auto squeezed = convolution(average, {8, 1, 1}, widened(p[0]), 1, 4, p[1]);
    REQUIRE(*std::ranges::min_element(squeezed) < -0.1);  // the ReLU counts
    REQUIRE(*std::ranges::max_element(squeezed) > 0.1);
    const auto hidden = relu(squeezed);
    const auto gate = convolution(hidden, {4, 1, 1}, widened(p[2]), 1, 8, p[3]);
    std::vector<double> expected;
    for (int i = 0; i < 8 * 36; ++i) expected.push_back(x[i] * sigmoid(gate[i / 36]));
    check_near(results_of(p, x), expected);
}

TEST_CASE("a sum of convolutions is the convolution of the concatenation") {
    using Net = Network<Input<3, 6, 6>, concatenation::Concatenated>;
    const Parameters<Net> p = seeded<Net>();
    const std::vector<std::string> names = detail::parameter_names<Net>();
    const auto parameter = [&](std::string_view end) {
        for (int i = 0; i < p.count(); ++i)
            if (names[i].ends_with(end)) return p[i];
        throw Error("no parameter ends with " + std::string(end));
    };
    const std::vector<float> x = numbers(3 * 36);
    const Shape image{3, 6, 6};
    auto near = relu(convolution(widened(x), image, widened(parameter("body.conv0.weight")), 3, 8));
    const auto wide = relu(convolution(widened(x), image, widened(parameter("shortcut.conv0.weight")), 5, 16));
    near.insert(near.end(), wide.begin(), wide.end());

    const auto of_near = parameter("body.conv1.weight"), of_wide = parameter("shortcut.conv1.weight");
    std::vector<double> weights;  // [32, 24]
    for (int o = 0; o < 32; ++o) {
        weights.insert(weights.end(), &of_near[o * 8], &of_near[o * 8] + 8);
        weights.insert(weights.end(), &of_wide[o * 16], &of_wide[o * 16] + 16);
    }
    check_near(results_of(p, x), convolution(near, {24, 6, 6}, weights, 1, 32, parameter("conv1.bias")));
}

TEST_CASE("the classifier of a trunk's features is the network, and the average of a class activation map its logit") {
    using namespace class_activation;
    const Parameters<Net> p = seeded<Net>();
    const std::vector<float> image = numbers(3 * 32 * 32);
    const std::vector<float> logits = results_of(p, image);
    const auto bias = p[p.count() - 1];

    Parameters<Trunk<Net>> trunk;
    REQUIRE(copy_parameters(p, trunk) == trunk.count());
    const std::vector<float> features = results_of(trunk, image);
    check_near(logits, convolution(widened(features), {64, 1, 1}, widened(p[p.count() - 2]), 1, 10, bias));

    Parameters<Maps> without_top;
    REQUIRE(copy_parameters(p, without_top) == without_top.count());
    const std::vector<float> maps = results_of(without_top, image);
    std::vector<double> averages;
    for (int label = 0; label < 10; ++label) {
        const std::vector<float> heat = activation_map(p, maps, label);
        averages.push_back(std::accumulate(heat.begin(), heat.end(), 0.0) / 256 + bias[label]);
    }
    check_near(logits, averages);
}

TEST_CASE("features are most similar to themselves") {
    const std::vector<float> a = numbers(8);
    std::vector<float> b{a};
    b[0] = -b[0];
    CHECK(embeddings::cosine_similarity(a, a) == doctest::Approx(1));
    CHECK(embeddings::cosine_similarity(a, b) < 0.999);
}

TEST_CASE("a BGR buffer gives what the same picture gives in RGB, bit for bit") {
    std::vector<std::uint8_t> rgb, bgr;
    for (int i = 0; i < 300 * 260; ++i) {
        const auto draw = detail::random_bits(1, 2, static_cast<std::uint64_t>(i));
        const std::uint8_t red = draw & 255, green = draw >> 8 & 255, blue = draw >> 16 & 255;
        rgb.insert(rgb.end(), {red, green, blue});
        bgr.insert(bgr.end(), {blue, green, red});
    }
    CHECK(bgr::preprocess_bgr(bgr, 300, 260) == preprocess(Image(300, 260, 3, rgb), torchvision_imagenet));
}

TEST_CASE("a name that is no network is told") {
    CHECK_THROWS_WITH_AS(chosen::classifier("vgg", ""), "expected resnet18 or clothes, found vgg", Error);
}
