// Real weights of several libraries give the logits that an independent program computed with them.
#include <algorithm>
#include <cmath>
#include <vector>

#include <doctest/doctest.h>

#include <tenon/models/cifar.hpp>
#include <tenon/models/cifar_keras.hpp>
#include <tenon/runtime/model.hpp>

#include "../support.hpp"

namespace {
using namespace tenon;
using tenon_test::optional_data_file;

/// Channels' means and standard deviations of inputs that were divided by `divisor`.
struct Normalisation {
    double divisor = 1;
    double mean[3] = {0, 0, 0}, deviation[3] = {1, 1, 1};
};

std::vector<float> normalised(const std::vector<std::uint8_t>& images, const Normalisation& options) {
    std::vector<float> result(images.size());
    for (std::size_t i = 0; i < images.size(); ++i) {
        const std::size_t channel = i / (32 * 32) % 3;
        result[i] =
            static_cast<float>((images[i] / options.divisor - options.mean[channel]) / options.deviation[channel]);
    }
    return result;
}

/// Logits within 1e-3 of the largest, the same class for every image.
void expect_logits(std::span<const float> got, const std::vector<float>& expected, std::size_t classes) {
    REQUIRE(got.size() == expected.size());
    double largest = 0;
    for (const float value : expected) largest = std::max(largest, std::abs(double{value}));
    for (std::size_t i = 0; i < got.size(); ++i)
        CHECK(std::abs(double{got[i]} - double{expected[i]}) <= 1e-3 * largest);
    for (std::size_t first = 0; first < got.size(); first += classes) {
        const auto best = [&](const float* logits) { return std::max_element(logits, logits + classes) - logits; };
        CHECK(best(got.data() + first) == best(expected.data() + first));
    }
}

template <class Net>
void check_cifar(const std::string& weights, const std::string& logits, const Normalisation& options) {
    const std::string file = optional_data_file("cifar10/" + weights),
                      golden = optional_data_file("cifar10/golden.safetensors");
    if (file.empty() || golden.empty()) return;
    const SafetensorsFile expected{golden};
    Model<Net> model{{.threads = 1}};
    model.load(file);
    const auto got = model(normalised(expected.values<std::uint8_t>("cifar.images_u8_nchw"), options));
    expect_logits(got, expected.values<float>(logits), 10);

    // The weights survive being saved in their library's names and layout.
    const tenon_test::TemporaryFolder folder;
    const Parameters<Net> parameters{file};
    parameters.save(folder.file("saved.safetensors"));
    const SafetensorsFile before{file}, after{folder.file("saved.safetensors")};
    REQUIRE(before.tensors().size() == after.tensors().size());
    std::vector<std::string> shapes_before, shapes_after;
    for (const TensorEntry& entry : before.tensors()) shapes_before.push_back(detail::shape_to_string(entry.shape));
    for (const TensorEntry& entry : after.tensors()) shapes_after.push_back(detail::shape_to_string(entry.shape));
    std::sort(shapes_before.begin(), shapes_before.end());
    std::sort(shapes_after.begin(), shapes_after.end());
    CHECK(shapes_before == shapes_after);
    const Parameters<Net> again{folder.file("saved.safetensors")};
    for (int i = 0; i < parameters.count(); ++i) CHECK(std::ranges::equal(parameters[i], again[i]));
}

constexpr Normalisation imagenet{255, {0.485, 0.456, 0.406}, {0.229, 0.224, 0.225}};
constexpr Normalisation keras_cifar{255, {.49139968, .48215841, .44653091}, {.24703223, .24348513, .26158784}};

TEST_CASE("ResNet-20 with option-A shortcuts, from PyTorch") {
    check_cifar<CifarResNet20<>>("resnet20_v1.safetensors", "akamaster_resnet20.logits", imagenet);
}

TEST_CASE("MLPerf Tiny's ResNet-8, from Keras") {
    check_cifar<MlperfTinyResNet8<>>("resnet8_mlperf_tiny.safetensors", "mlperf_resnet8.logits", {});
}

TEST_CASE("ResNet-20 v2, from Keras, its layers counted from one") {
    check_cifar<KerasCifarResNet20V2<>>("resnet20_v2_keras.safetensors", "keras_resnet20v2.logits", keras_cifar);
}

}  // namespace
