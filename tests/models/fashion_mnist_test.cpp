// The example's network with the weights in the repository: PyTorch's logits for ten real images.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include <tenon/io/safetensors.hpp>
#include <tenon/models/fashion_mnist.hpp>

#include "golden.hpp"

namespace tenon_test {
namespace {

template <class Backend>
double error_of_backend(double tolerance) {
    const tenon::SafetensorsFile file(source_file("tests/models/fashion_mnist_golden.safetensors"));
    const std::vector<std::uint8_t> pixels = file.values<std::uint8_t>("images");
    const std::vector<std::uint8_t> labels = file.values<std::uint8_t>("labels");
    const std::vector<double> expected = file.values<double>("logits");
    REQUIRE(labels.size() == 10);
    REQUIRE(expected.size() == labels.size() * 10);

    using Model = tenon::Model<tenon::FashionMnistResNet, Backend>;
    using Scalar = typename Model::Scalar;
    std::vector<Scalar> images;
    for (const std::uint8_t pixel : pixels) images.push_back(static_cast<Scalar>((pixel / 255.0 - 0.2860) / 0.3530));
    Model model;
    model.load(source_file("examples/data/fashion_mnist.safetensors"));
    const std::span<const Scalar> logits = model(images);
    REQUIRE(logits.size() == expected.size());

    double largest = 0, difference = 0;
    int right = 0;
    for (std::size_t i = 0; i < labels.size(); ++i) {
        const std::span<const Scalar> answer = logits.subspan(i * 10, 10);
        right += std::ranges::max_element(answer) - answer.begin() == labels[i];
    }
    for (std::size_t i = 0; i < expected.size(); ++i) {
        REQUIRE(std::isfinite(logits[i]));
        largest = std::max(largest, std::abs(expected[i]));
        difference = std::max(difference, std::abs(logits[i] - expected[i]));
    }
    CHECK(right >= 9);
    CHECK(difference <= tolerance * largest);
    return difference / largest;
}

TEST_CASE("the weights in the repository give PyTorch's logits for real images") {
    const double error_in_float = error_of_backend<tenon::Cpu>(float_tolerance);
    const double error_in_double = error_of_backend<tenon::Reference<double>>(double_tolerance);
    std::cout << "fashion_mnist: largest error of the largest logit " << error_in_float << " in float on the CPU, "
              << error_in_double << " in double by the naive backend\n";
}

}  // namespace
}  // namespace tenon_test
