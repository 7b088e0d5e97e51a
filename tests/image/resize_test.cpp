#include <limits>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include <tenon/image/codecs/decode.hpp>
#include <tenon/image/preprocess.hpp>

#include "files.hpp"

namespace {

using tenon::Error;
using tenon::Image;
using tenon::Preprocessing;
using tenon::ResizeFilter;
using tenon::Rounding;

Image stored(const std::string& name) {
    tenon::DecodeOptions options;
    if (name.starts_with("grey")) options.color = tenon::Color::gray;
    return tenon::read_image(file_path(name), options);
}

ResizeFilter filter_named(const std::string& name) {
    if (name == "bicubic") return ResizeFilter::bicubic;
    if (name == "lanczos") return ResizeFilter::lanczos;
    REQUIRE(name == "bilinear");
    return ResizeFilter::bilinear;
}

Rounding rounding_named(const std::string& name) { return name == "down" ? Rounding::down : Rounding::nearest; }

}  // namespace

TEST_CASE("resized pixels equal PIL's bit for bit") {
    for (const std::vector<std::string>& words : read_table("resized.txt")) {
        REQUIRE(words.size() == 5);
        for (const std::string& word : words) CAPTURE(word);
        const int height = std::stoi(words[2]);
        const int width = std::stoi(words[3]);
        const Image image = resize(stored(words[0]), height, width, filter_named(words[1]));
        CHECK(image.height() == height);
        CHECK(image.width() == width);
        CHECK_MESSAGE(hash(image) == words[4], words[0] << ' ' << words[1] << ' ' << height << " x " << width);
    }
    const Image picture = stored("picture.png");
    CHECK(count_differences(resize(picture, 30, 23), read_ppm("resized_bilinear_30_23.ppm")) == 0);
    CHECK(count_differences(resize(picture, 61, 20, ResizeFilter::bicubic), read_ppm("resized_bicubic_61_20.ppm")) ==
          0);
    CHECK(count_differences(resize(picture, 64, 50, ResizeFilter::lanczos), read_ppm("resized_lanczos_64_50.ppm")) ==
          0);
}

TEST_CASE("a resized and cropped image equals torchvision's, and those of other roundings") {
    const Image picture = stored("picture.png");
    for (const std::vector<std::string>& words : read_table("cropped.txt")) {
        REQUIRE(words.size() == 5);
        const int size = std::stoi(words[0]);
        const int crop = std::stoi(words[1]);
        const Image small =
            tenon::detail::resize_shorter_side(picture, size, ResizeFilter::bilinear, rounding_named(words[2]));
        const Image image = center_crop(small, crop, crop, rounding_named(words[3]));
        CHECK_MESSAGE(hash(image) == words[4],
                      "resize " << size << " crop " << crop << ' ' << words[2] << ' ' << words[3]);
    }
}

TEST_CASE("samples become floats as the frameworks compute them") {
    // Every sample once, as grey and as equal RGB channels.
    Image ramp(16, 16, 1);
    for (std::size_t i = 0; i < 256; ++i) ramp.pixels()[i] = static_cast<std::uint8_t>(i);
    Preprocessing options = tenon::torchvision_imagenet;
    options.resize = 0;
    options.crop_height = options.crop_width = 16;
    const std::vector<float> torch = preprocess(ramp, options);
    REQUIRE(torch.size() == 3 * 256);
    const auto with = [&](const Preprocessing& family) {
        Preprocessing changed = family;
        changed.resize = 0;
        changed.crop_height = changed.crop_width = 16;
        return preprocess(ramp, changed);
    };
    const std::vector<float> tf = with(tenon::keras_tf_imagenet);
    const std::vector<float> caffe = with(tenon::keras_caffe_imagenet);
    for (std::size_t i = 0; i < 256; ++i) {
        const auto sample = static_cast<float>(i);
        CHECK(torch[i] == (sample / 255 - 0.485F) / 0.229F);
        CHECK(torch[256 + i] == (sample / 255 - 0.456F) / 0.224F);
        CHECK(torch[512 + i] == (sample / 255 - 0.406F) / 0.225F);
        CHECK(tf[i] == sample / 127.5F - 1);
        CHECK(caffe[i] == sample - 103.939F);
        CHECK(caffe[512 + i] == sample - 123.68F);
    }
}

TEST_CASE("channels are ordered as asked") {
    const Image pixel(1, 1, 3, {10, 20, 30});
    Preprocessing options{.resize = 0, .crop_height = 1, .crop_width = 1, .scale = 1, .mean = {}};
    options.standard_deviation = {1, 1, 1};
    CHECK(preprocess(pixel, options) == std::vector<float>{10, 20, 30});
    options.order = tenon::ChannelOrder::bgr;
    CHECK(preprocess(pixel, options) == std::vector<float>{30, 20, 10});
    options.channels = 1;
    CHECK(preprocess(pixel, options) == std::vector<float>{18});
}

TEST_CASE("an image one pixel high isn't resized to gigabytes") {
    const Image line(1, 400'000, 1), longest(1, 80'000'000, 1), column(400'000, 1, 1);
    CHECK_THROWS_WITH_AS(preprocess(line, tenon::torchvision_imagenet),
                         "expected an image of at most 89478485 pixels after resizing, found one of 1 x 400000 pixels "
                         "to be resized to 256 x 102400000",
                         Error);
    CHECK_THROWS_AS(preprocess(longest, tenon::torchvision_imagenet), Error);  // 256 times as long is no int any more
    CHECK_THROWS_AS(resize(column, 1, 100'000), Error);                        // large between the two passes
    CHECK_THROWS_AS(tenon::detail::resize_shorter_side(line, 0), Error);
    CHECK_THROWS_AS(tenon::detail::resize_shorter_side(line, std::numeric_limits<int>::min()), Error);
    CHECK(tenon::detail::resize_shorter_side(Image(1, 3000, 1), 100).width() == 300'000);
}

TEST_CASE("senseless sizes are refused") {
    const Image pixel(1, 1, 3);
    CHECK_THROWS_WITH_AS(resize(Image(), 1, 1), "expected an image to resize, found one without pixels", Error);
    CHECK_THROWS_AS(resize(pixel, 0, 1), Error);
    CHECK_THROWS_AS(resize(pixel, 1, -1), Error);
    CHECK_THROWS_AS(center_crop(pixel, 0, 1), Error);
    CHECK_THROWS_AS(preprocess(Image(), tenon::torchvision_imagenet), Error);
    CHECK_THROWS_AS(preprocess(pixel, Preprocessing{.crop_height = 0}), Error);
    CHECK_THROWS_AS(preprocess(pixel, Preprocessing{.channels = 4}), Error);

    // A deviation divides: 0, a negative one and NaN would make every sample infinite, upside down or undefined.
    std::vector<float> output(3, 7);
    constexpr float nan = std::numeric_limits<float>::quiet_NaN(), infinity = std::numeric_limits<float>::infinity();
    for (const float deviation : {0.0F, -0.5F, nan, infinity}) {
        const Preprocessing options{
            .resize = 0, .crop_height = 1, .crop_width = 1, .standard_deviation = {1, deviation, 1}};
        const std::string expected =
            "expected a Preprocessing with a standard deviation of channel 1 that is a finite number above 0, which "
            "samples are divided by, found " +
            std::to_string(deviation);
        CHECK_THROWS_WITH_AS(preprocess(pixel, options, output), expected.c_str(), Error);
        CHECK_THROWS_WITH_AS(preprocess(pixel, options), expected.c_str(), Error);
    }
    CHECK_THROWS_WITH_AS(preprocess(pixel, Preprocessing{.mean = {nan, 0, 0}}),
                         "expected a Preprocessing with a mean of channel 0 that is a finite number, found nan", Error);
    CHECK_THROWS_WITH_AS(preprocess(pixel, Preprocessing{.scale = infinity}),
                         "expected a Preprocessing with a finite scale, found inf", Error);
    CHECK(output == std::vector<float>{7, 7, 7});
    // What a grey image doesn't need may be anything.
    CHECK(preprocess(pixel, {.crop_height = 1, .crop_width = 1, .channels = 1, .standard_deviation = {1, 0, nan}})
              .size() == 1);
    std::vector<float> small(7);
    CHECK_THROWS_WITH_AS(preprocess(pixel, tenon::torchvision_imagenet, small),
                         "expected room for the 150528 floats of a preprocessed image, found 7", Error);
}
