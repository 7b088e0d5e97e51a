// Real photos: the network's input that an independent program made of them (shared data; skipped where it is absent).
#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include <tenon/image/codecs/decode.hpp>
#include <tenon/image/preprocess.hpp>
#include <tenon/io/safetensors.hpp>

#include "../support.hpp"
#include "photos.hpp"

TEST_CASE("preprocessed photos equal the golden inputs bit for bit") {
    const std::string goldens = tenon_test::optional_data_file("imagenet/golden.safetensors");
    const std::vector<std::filesystem::path> photos = photo_paths();
    if (goldens.empty() || photos.empty()) return;

    const std::vector<float> expected = tenon::SafetensorsFile(goldens).values<float>("imagenet.input_nchw_normalised");
    const std::size_t elements = golden_preprocessing.elements();
    REQUIRE(expected.size() == photos.size() * elements);
    for (std::size_t i = 0; i < photos.size(); ++i) {
        CAPTURE(photos[i].string());
        const std::vector<float> input = preprocess(tenon::read_image(photos[i]), golden_preprocessing);
        CHECK(std::ranges::equal(input, std::span(expected).subspan(i * elements, elements)));
    }
}
