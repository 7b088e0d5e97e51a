// From JPEG files to logits with real weights (shared data; skipped where it is absent).
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include <tenon/image/codecs/decode.hpp>
#include <tenon/image/preprocess.hpp>
#include <tenon/io/safetensors.hpp>
#include <tenon/models/resnet_v1.hpp>
#include <tenon/runtime/model.hpp>

#include "../support.hpp"
#include "photos.hpp"

TEST_CASE("ResNet-18 gives the golden logits for real photos and names at least 5 of 6 of them") {
    const std::string weights = tenon_test::optional_data_file("imagenet/resnet18_v15.safetensors");
    const std::string goldens = tenon_test::optional_data_file("imagenet/golden.safetensors");
    const std::vector<std::filesystem::path> photos = photo_paths();
    if (weights.empty() || goldens.empty() || photos.empty()) return;

    std::vector<float> inputs;
    for (const std::filesystem::path& photo : photos) {
        const std::vector<float> input = preprocess(tenon::read_image(photo), golden_preprocessing);
        inputs.insert(inputs.end(), input.begin(), input.end());
    }
    tenon::Model<tenon::ResNet18<>> model;
    model.load(weights);
    const std::span<const float> logits = model(inputs);

    const tenon::SafetensorsFile file(goldens);
    const std::vector<float> expected = file.values<float>("resnet18_v15.logits");
    const std::vector<std::int32_t> labels = file.values<std::int32_t>("imagenet.labels");
    REQUIRE(logits.size() == expected.size());
    int right = 0;
    for (std::size_t i = 0; i < photos.size(); ++i) {
        CAPTURE(photos[i].string());
        const std::span<const float> ours = logits.subspan(i * 1000, 1000);
        const std::span<const float> golden = std::span(expected).subspan(i * 1000, 1000);
        float largest = 0;
        float difference = 0;
        for (std::size_t j = 0; j < ours.size(); ++j) {
            largest = std::max(largest, std::abs(golden[j]));
            difference = std::max(difference, std::abs(ours[j] - golden[j]));
        }
        CHECK(difference <= 1e-3F * largest);
        const auto answer = std::ranges::max_element(ours) - ours.begin();
        CHECK(answer == std::ranges::max_element(golden) - golden.begin());
        right += answer == labels[i];
    }
    CHECK(right >= 5);
}
