// PNG files that are written, and the pictures of explanations.
#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <vector>

#include <doctest/doctest.h>

#include <tenon/explain/overlay.hpp>
#include <tenon/image/codecs/decode.hpp>
#include <tenon/image/codecs/encode_png.hpp>

#include "../support.hpp"

namespace {

using namespace tenon;
using tenon_test::contains;
using tenon_test::error_of;

Image pattern(int height, int width, int channels) {
    Image image(height, width, channels);
    for (std::size_t i = 0; i < image.pixels().size(); ++i)
        image.pixels()[i] = static_cast<std::uint8_t>(i * i * 31 + i * 7);
    return image;
}

TEST_CASE("encode_png: what was written is read") {
    for (const int channels : {1, 3}) {
        const Image image = pattern(37, 53, channels);
        CHECK(decode_image(detail::encode_png(image), "written.png",
                           {.color = channels == 1 ? Color::gray : Color::rgb}) == image);
    }
    const tenon_test::TemporaryFolder folder;
    const std::string file = folder.file("photo.png");
    tenon_test::write_file(file, "something else");
    detail::write_png(file, pattern(5, 4, 3));
    CHECK(read_image(file) == pattern(5, 4, 3));
    CHECK(contains(error_of([&] { detail::write_png(folder.file("none/photo.png"), pattern(5, 4, 3)); }),
                   "none/photo.png"));
    CHECK(contains(error_of([&] { detail::write_png(file, Image{}); }), "found one without pixels"));
    CHECK(read_image(file) == pattern(5, 4, 3));
}

/// OKLab (Ottosson 2020) of a color in sRGB: its lightness, 0 to 1, and two axes of hue.
std::array<double, 3> lab_of(const detail::Rgb& color) {
    std::array<double, 3> linear{};
    for (std::size_t i = 0; i < 3; ++i) {
        const double sample = color[i] / 255.0;
        linear[i] = sample <= 0.04045 ? sample / 12.92 : std::pow((sample + 0.055) / 1.055, 2.4);
    }
    const auto [r, g, b] = linear;
    const double l = std::cbrt(0.4122214708 * r + 0.5363325363 * g + 0.0514459929 * b),
                 m = std::cbrt(0.2119034982 * r + 0.6806995451 * g + 0.1073969566 * b),
                 s = std::cbrt(0.0883024619 * r + 0.2817188376 * g + 0.6299787005 * b);
    return {0.2104542553 * l + 0.7936177850 * m - 0.0040720468 * s,
            1.9779984951 * l - 2.4285922050 * m + 0.4505937099 * s,
            0.0259040371 * l + 0.7827717662 * m - 0.8086757660 * s};
}

TEST_CASE("map_colors: from dark to light, in equal steps") {
    const std::vector<detail::Rgb> colors = detail::map_colors();
    REQUIRE(colors.size() == 256);
    CHECK(lab_of(colors.front())[0] == doctest::Approx(0.25).epsilon(0.02));
    CHECK(lab_of(colors.back())[0] == doctest::Approx(0.93).epsilon(0.02));
    double least = 1e9, most = 0;
    for (std::size_t i = 0; i + 16 < colors.size(); ++i) {
        const auto a = lab_of(colors[i]), b = lab_of(colors[i + 16]);
        CHECK(b[0] > a[0] + 0.02);
        const double distance = std::hypot(a[0] - b[0], a[1] - b[1], a[2] - b[2]);
        least = std::min(least, distance);
        most = std::max(most, distance);
    }
    CHECK(most < 1.2 * least);  // where the path bends a straight line is shorter, and samples have 8 bits
}

TEST_CASE("overlay: photo, map and scale side by side") {
    const Image photo = pattern(32, 48, 3);
    const explanations::ClassMap map{
        .place = "stack0", .height = 2, .width = 3, .values = {0, 0, 0, 0, 0, 5}, .cost = {}};
    const Image picture = explanations::overlay(photo, map);
    CHECK(picture.height() == 32 * 7);  // 224 pixels or more
    CHECK(picture.width() == 2 * 48 * 7 + 8 + 8 + 16 + 14);
    const auto pixel = [&](int y, int x) {
        const auto row = picture.row(y).subspan(static_cast<std::size_t>(x) * 3, 3);
        return detail::Rgb{row[0], row[1], row[2]};
    };
    const std::vector<detail::Rgb> colors = detail::map_colors();
    const auto under = [&](int y, int x, std::size_t color) {  // the photo in gray and a color, half and half
        detail::Rgb result{};
        for (std::size_t i = 0; i < 3; ++i)
            result[i] = static_cast<std::uint8_t>(
                (colors[color][i] + to_gray(photo).row(y)[static_cast<std::size_t>(x)] + 1) / 2);
        return result;
    };
    const auto row = photo.row(9);
    CHECK(pixel(9 * 7 + 3, 11 * 7 + 6) == detail::Rgb{row[33], row[34], row[35]});
    const int left = 48 * 7 + 8;
    CHECK(pixel(0, left) == under(0, 0, 0));
    CHECK(pixel(223, left + 335) == under(31, 47, 255));  // the map's last pixel
    CHECK(pixel(223, left + 223) == under(31, 31, 126));  // 223.5 / 336 * 3 - 1.5 = 0.496 of the way to 5
    CHECK(pixel(0, left + 336 + 8) == colors[255]);
    CHECK(pixel(223, left + 336 + 8 + 15) == colors[0]);
    CHECK(pixel(0, left + 336 + 8 + 16 + 4 + 2) == detail::Rgb{51, 51, 51});    // of the digit 1
    CHECK(pixel(223, left + 336 + 8 + 16 + 4 + 5) == detail::Rgb{51, 51, 51});  // of the digit 0
    CHECK(pixel(100, left + 336 + 8 + 16 + 4) == detail::Rgb{255, 255, 255});

    // Nothing speaks for the class: the lowest color everywhere. Gray photos work as well.
    explanations::ClassMap none = map;
    std::ranges::fill(none.values, 0.0f);
    CHECK(explanations::overlay(pattern(300, 300, 1), none).height() == 300);

    none.values[3] = std::numeric_limits<float>::quiet_NaN();
    CHECK(contains(error_of([&] { explanations::overlay(photo, none); }), "the map at stack0 is infinite or NaN"));
    none.values.pop_back();
    CHECK(contains(error_of([&] { explanations::overlay(photo, none); }), "2 x 3 pixels, found 5 values"));
    CHECK(contains(error_of([&] { explanations::overlay(Image{}, map); }), "found one without pixels"));
}

}  // namespace
