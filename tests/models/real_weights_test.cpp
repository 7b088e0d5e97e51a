// Real ImageNet weights on real inputs (shared data; skipped loudly where they are absent). The golden logits are those
// of an independent forward in single precision.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include <tenon/io/safetensors.hpp>
#include <tenon/models/resnet_v1.hpp>

#include "golden.hpp"

namespace tenon_test {
namespace {

TEST_CASE("ResNet-18 with real weights gives the golden logits and names at least 5 of 6 inputs") {
    const std::string weights = optional_data_file("imagenet/resnet18_v15.safetensors");
    const std::string goldens = optional_data_file("imagenet/golden.safetensors");
    if (weights.empty() || goldens.empty()) return;
    const tenon::SafetensorsFile file(goldens);
    const std::vector<float> inputs = file.values<float>("imagenet.input_nchw_normalised");
    const std::vector<float> expected = file.values<float>("resnet18_v15.logits");
    const std::vector<std::int32_t> labels = file.values<std::int32_t>("imagenet.labels");
    REQUIRE(labels.size() == 6);

    tenon::Model<tenon::ResNet18<>> model;
    model.load(weights);
    const std::span<const float> logits = model(inputs);
    REQUIRE(logits.size() == expected.size());

    int right = 0;
    double worst = 0;
    for (std::size_t i = 0; i < labels.size(); ++i) {
        CAPTURE(i);
        const std::span<const float> ours = logits.subspan(i * 1000, 1000);
        const std::span<const float> golden = std::span(expected).subspan(i * 1000, 1000);
        double largest = 0, difference = 0;
        for (std::size_t j = 0; j < ours.size(); ++j) {
            REQUIRE(std::isfinite(ours[j]));
            largest = std::max(largest, std::abs(double{golden[j]}));
            difference = std::max(difference, std::abs(double{ours[j]} - double{golden[j]}));
        }
        CHECK(difference <= 1e-3 * largest);
        worst = std::max(worst, difference / largest);
        const auto answer = std::ranges::max_element(ours) - ours.begin();
        CHECK(answer == std::ranges::max_element(golden) - golden.begin());
        right += answer == labels[i];
    }
    CHECK(right >= 5);
    std::cout << "ResNet-18 with real weights: " << right << " of 6 right, largest error of the largest logit " << worst
              << "\n";
}

}  // namespace
}  // namespace tenon_test
