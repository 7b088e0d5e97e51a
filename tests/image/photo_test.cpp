// Real photos: the network's input that an independent program made of them (shared data; skipped where it is absent).
#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include <tenon/image/decode.hpp>
#include <tenon/image/preprocess.hpp>
#include <tenon/io/safetensors.hpp>

#include "../support.hpp"

TEST_CASE("preprocessed photos equal the golden inputs bit for bit") {
    const std::string goldens = tenon_test::optional_data_file("imagenet/golden.safetensors");
    const std::string folder = tenon_test::optional_data_file("imagenet/photos");
    if (goldens.empty() || folder.empty()) return;

    std::vector<std::filesystem::path> photos;
    for (const auto& entry : std::filesystem::directory_iterator(folder)) photos.push_back(entry.path());
    std::ranges::sort(photos);
    REQUIRE(photos.size() == 6);

    // These were resized and cropped with the other choice of each rounding than torchvision's.
    tenon::Preprocessing options = tenon::torchvision_imagenet;
    options.longer_side = tenon::Rounding::nearest;
    options.crop_offset = tenon::Rounding::down;
    const std::vector<float> expected = tenon::SafetensorsFile(goldens).values<float>("imagenet.input_nchw_normalised");
    REQUIRE(expected.size() == photos.size() * options.elements());
    for (std::size_t i = 0; i < photos.size(); ++i) {
        CAPTURE(photos[i].string());
        const std::vector<float> input = preprocess(tenon::read_image(photos[i]), options);
        CHECK(std::ranges::equal(input, std::span(expected).subspan(i * options.elements(), options.elements())));
    }
}
