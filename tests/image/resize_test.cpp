#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include <tenon/image/codecs/decode.hpp>
#include <tenon/image/preprocess.hpp>

#include "files.hpp"

namespace {

using tenon::ChannelOrder;
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
    // Every sample once, as gray and as equal RGB channels.
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
                         "expected an image of at most 178956970 pixels after resizing, found one of 1 x 400000 pixels "
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
    // What a gray image doesn't need may be anything.
    CHECK(preprocess(pixel, {.crop_height = 1, .crop_width = 1, .channels = 1, .standard_deviation = {1, 0, nan}})
              .size() == 1);
    std::vector<float> small(7);
    CHECK_THROWS_WITH_AS(preprocess(pixel, tenon::torchvision_imagenet, small),
                         "expected room for the 150528 floats of a preprocessed image, found 7", Error);
}

TEST_CASE("pixels in memory of any layout give the floats of an image of them, bit for bit") {
    const Image picture = tenon::read_image(file_path("picture.png"));
    const int height = picture.height(), width = picture.width();
    const auto at = [&](int y, int x, int c) { return picture.row(y)[static_cast<std::size_t>(3 * x + c)]; };
    // The same picture with room after each row, in both orders of channels, by pixels of 3 and 4 bytes and by
    // channels.
    constexpr int room = 13;
    std::vector<tenon::Image::View> views;
    std::vector<std::vector<std::uint8_t>> buffers;
    for (const bool planar : {false, true})
        for (const ChannelOrder order : {ChannelOrder::rgb, ChannelOrder::bgr})
            for (const int channels : {3, 4}) {
                const int row = (planar ? width : width * channels) + room;
                std::vector<std::uint8_t> bytes(static_cast<std::size_t>(row * height * (planar ? channels : 1)), 77);
                for (int y = 0; y < height; ++y)
                    for (int x = 0; x < width; ++x)
                        for (int c = 0; c < 3; ++c) {
                            const int channel = order == ChannelOrder::rgb ? c : 2 - c;
                            const int place =
                                planar ? (channel * height + y) * row + x : y * row + x * channels + channel;
                            bytes[static_cast<std::size_t>(place)] = at(y, x, c);
                        }
                const auto* const data = bytes.data();
                views.push_back(planar ? tenon::Image::View::planar(data, height, width, channels, order, row)
                                       : tenon::Image::View::interleaved(data, height, width, channels, order, row));
                buffers.push_back(std::move(bytes));
            }
    // Rows from bottom to top.
    tenon::Image::View upside_down = tenon::Image::View::interleaved(picture.row(height - 1).data(), height, width, 3);
    upside_down.row_step = -upside_down.row_step;
    Image flipped(height, width, 3);
    for (int y = 0; y < height; ++y) std::ranges::copy(picture.row(height - 1 - y), flipped.row(y).begin());

    for (const Preprocessing& options :
         {tenon::torchvision_imagenet, tenon::keras_caffe_imagenet,
          Preprocessing{.resize = 0, .crop_height = 20, .crop_width = 90},
          Preprocessing{
              .resize = 30, .crop_height = 24, .crop_width = 24, .channels = 1, .filter = ResizeFilter::bicubic},
          Preprocessing{.resize = 47, .crop_height = 33, .crop_width = 40},
          Preprocessing{.stretch = true, .crop_height = 61, .crop_width = 47},
          Preprocessing{.stretch = true, .crop_height = 20, .crop_width = 100, .channels = 1}}) {
        const std::vector<float> expected = preprocess(picture, options);
        for (const tenon::Image::View& view : views) CHECK(preprocess(view, options) == expected);
        CHECK(preprocess(upside_down, options) == preprocess(flipped, options));
        // As the steps one by one.
        Image steps = options.stretch      ? resize(picture, options.crop_height, options.crop_width, options.filter)
                      : options.resize > 0 ? tenon::detail::resize_shorter_side(picture, options.resize, options.filter)
                                           : picture;
        steps = center_crop(steps, options.crop_height, options.crop_width);
        if (options.channels == 1) steps = to_gray(std::move(steps));
        const auto plane = expected.size() / static_cast<std::size_t>(options.channels);
        for (std::size_t i = 0; i < expected.size(); ++i) {
            const std::size_t channel = i / plane, count = static_cast<std::size_t>(options.channels);
            const std::size_t source = options.order == ChannelOrder::rgb ? channel : count - 1 - channel;
            const auto scaled = static_cast<float>(steps.pixels()[i % plane * count + source] * options.scale);
            REQUIRE(expected[i] == (scaled - options.mean[channel]) / options.standard_deviation[channel]);
        }
    }
    const tenon::Image::View gray =
        tenon::Image::View::planar(buffers[4].data(), height, width, 1, ChannelOrder::bgr, width + room);
    Image red(height, width, 1);
    for (int y = 0; y < height; ++y)
        for (int x = 0; x < width; ++x) red.row(y)[static_cast<std::size_t>(x)] = at(y, x, 0);
    CHECK(preprocess(gray, tenon::torchvision_imagenet) == preprocess(red, tenon::torchvision_imagenet));
}

TEST_CASE("floats in memory are cut and normalized") {
    const Image picture = tenon::read_image(file_path("picture.png"));
    const int height = picture.height(), width = picture.width();
    std::vector<float> samples;  // channel by channel, after one byte: not aligned
    for (int c = 0; c < 3; ++c)
        for (int i = 0; i < height * width; ++i)
            samples.push_back(picture.pixels()[static_cast<std::size_t>(3 * i + c)]);
    std::vector<std::byte> unaligned(samples.size() * sizeof(float) + 1);
    std::memcpy(unaligned.data() + 1, samples.data(), samples.size() * sizeof(float));
    const tenon::Image::View aligned = tenon::Image::View::planar(samples.data(), height, width, 3);
    tenon::Image::View view = aligned;
    view.data = unaligned.data() + 1;
    Preprocessing options{.resize = 0, .crop_height = 20, .crop_width = 90, .scale = 1, .mean = {10, 20, 30}};
    CHECK(preprocess(aligned, options) == preprocess(picture, options));
    CHECK(preprocess(view, options) == preprocess(picture, options));
    options.channels = 1;
    const std::vector<float> gray = preprocess(view, options), rounded = preprocess(picture, options);
    for (std::size_t i = 0; i < gray.size(); ++i)
        CHECK(std::abs(gray[i] - rounded[i]) <= 0.51F / options.standard_deviation[0]);
}

TEST_CASE("floats in memory are resized as PIL resizes images of mode F") {
    const Image grey = tenon::read_image(file_path("grey.png"), {.color = tenon::Color::gray});
    std::vector<float> samples;
    for (const std::uint8_t sample : grey.pixels()) samples.push_back((static_cast<float>(sample) - 100) / 64);
    for (const std::vector<std::string>& words : read_table("resized_floats.txt")) {
        CAPTURE(words[0]);
        CAPTURE(words[1]);
        Preprocessing options{.stretch = true,
                              .crop_height = std::stoi(words[1]),
                              .crop_width = std::stoi(words[2]),
                              .channels = 1,
                              .filter = filter_named(words[0]),
                              .scale = 1,
                              .mean = {0},
                              .standard_deviation = {1}};
        const auto view = tenon::Image::View::interleaved(samples.data(), grey.height(), grey.width(), 1);
        const std::vector<float> resized = preprocess(view, options);
        REQUIRE(words.size() == 3 + resized.size());
        float largest = 0;
        for (std::size_t i = 0; i < resized.size(); ++i)
            largest = std::max(largest, std::abs(resized[i] - std::stof(words[3 + i])));
#if defined(__FP_FAST_FMA)
        CHECK(largest < 1e-6F);  // sums may be rounded less
#else
        CHECK(largest == 0);
#endif
    }
}

TEST_CASE("floats in memory of any layout are resized alike, and like 8 bits but for rounding") {
    const Image picture = tenon::read_image(file_path("picture.png"));
    const int height = picture.height(), width = picture.width();
    const auto at = [&](int y, int x, int c) {
        return static_cast<float>(picture.row(y)[static_cast<std::size_t>(3 * x + c)]);
    };
    const Preprocessing rgb{.resize = 24, .crop_height = 30, .crop_width = 20};
    Preprocessing bgr = rgb, stretched = rgb, gray = rgb;
    bgr.order = ChannelOrder::bgr;
    stretched.stretch = true;
    gray.channels = 1;
    for (const Preprocessing& options : {rgb, bgr, stretched, gray}) {
        const std::vector<float> of_bytes = preprocess(picture, options);
        std::vector<float> planar, padded(static_cast<std::size_t>(height * (4 * width + 3)), -1e9F);
        for (int c = 0; c < 3; ++c)
            for (int y = 0; y < height; ++y)
                for (int x = 0; x < width; ++x) {
                    planar.push_back(at(y, x, c));
                    // Blue first, alpha last, rows from bottom to top with room between them.
                    const int row = (height - 1 - y) * (4 * width + 3);
                    padded[static_cast<std::size_t>(row + 4 * x + 2 - c)] = at(y, x, c);
                }
        const std::vector<float> expected =
            preprocess(tenon::Image::View::planar(planar.data(), height, width, 3), options);
        // Half a sample of 8 bits after each pass.
        for (std::size_t i = 0; i < expected.size(); ++i)
            CHECK(std::abs(expected[i] - of_bytes[i]) <= 1.6F / 255 / 0.224F);
        const std::ptrdiff_t step = (4 * width + 3) * static_cast<std::ptrdiff_t>(sizeof(float));
        tenon::Image::View view =
            tenon::Image::View::interleaved(padded.data(), height, width, 4, ChannelOrder::bgr, step);
        view.data += (height - 1) * step;
        view.row_step = -step;
        CHECK(preprocess(view, options) == expected);
        std::vector<std::byte> unaligned(planar.size() * sizeof(float) + 1);
        std::memcpy(unaligned.data() + 1, planar.data(), planar.size() * sizeof(float));
        view = tenon::Image::View::planar(planar.data(), height, width, 3);
        view.data = unaligned.data() + 1;
        CHECK(preprocess(view, options) == expected);
    }
}

TEST_CASE("pixels in memory are checked") {
    const std::vector<std::uint8_t> bytes(100);
    const auto view = [&](int height, int width, int channels, std::ptrdiff_t step = 0) {
        return tenon::Image::View::interleaved(bytes.data(), height, width, channels, ChannelOrder::rgb, step);
    };
    const Preprocessing options{.resize = 0, .crop_height = 2, .crop_width = 2};
    CHECK(preprocess(view(5, 6, 3), options).size() == 12);
    CHECK(preprocess(view(1, 30, 3, 5), options).size() == 12);  // one row has no next one
    for (const tenon::Image::View& wrong : {view(0, 1, 3), view(1, -1, 3), view(5, 5, 2), view(1, 1, 5)})
        CHECK_THROWS_AS(preprocess(wrong, options), Error);
    CHECK_THROWS_WITH_AS(
        preprocess(tenon::Image::View{}, options),
        "expected pixels of positive height and width and 1, 3 or 4 channels, found a null pointer and 0 x "
        "0 pixels with 3 channels",
        Error);
    for (const std::ptrdiff_t step : {6, -6, 17}) CHECK_THROWS_AS(preprocess(view(5, 6, 3, step), options), Error);
    CHECK_THROWS_WITH_AS(preprocess(view(5, 6, 3, 6), options),
                         "expected rows of 6 pixels to be at least 18 bytes apart, found a row_step of 6 bytes", Error);
}
