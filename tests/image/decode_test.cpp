#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <set>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include <tenon/image/codecs/decode.hpp>

#include "../support.hpp"
#include "files.hpp"

namespace {

using tenon::Color;
using tenon::DecodeOptions;
using tenon::Error;
using tenon::Image;
using tenon_test::contains;
using tenon_test::error_of;

std::vector<std::byte> bytes_of(const std::string& name) { return tenon::detail::read_file(file_path(name), 1 << 20); }

std::vector<std::byte> bytes_from(const std::string& text) {
    const auto* data = reinterpret_cast<const std::byte*>(text.data());
    return {data, data + text.size()};
}

/// The text of the error that decoding these bytes gives; "(no error)" if it gives none.
std::string refusal(const std::vector<std::byte>& bytes, const DecodeOptions& options = {}) {
    return error_of([&] { tenon::decode_image(bytes, "some/file", options); });
}

}  // namespace

TEST_CASE("decoded pixels equal PIL's bit for bit") {
    for (const std::vector<std::string>& words : read_table("decoded.txt")) {
        REQUIRE(words.size() == 7);
        const std::string& name = words[0];
        CAPTURE(name);
        CAPTURE(words[1]);
        CAPTURE(words[2]);
        DecodeOptions options;
        options.color = words[1] == "grey" ? Color::gray : Color::rgb;
        options.exif_orientation = words[2] == "upright";
        const Image image = tenon::read_image(file_path(name), options);
        CHECK(image.height() == std::stoi(words[3]));
        CHECK(image.width() == std::stoi(words[4]));
        CHECK(image.channels() == std::stoi(words[5]));
        CHECK(hash(image) == words[6]);
    }
    for (const std::string name : {"subsampled", "progressive", "cmyk"}) {
        CAPTURE(name);
        CHECK(count_differences(tenon::read_image(file_path(name + ".jpg")), read_ppm(name + ".ppm")) == 0);
    }
}

TEST_CASE("a file that isn't an image is refused with what it is") {
    const std::vector<std::pair<std::string, std::string>> cases = {
        {"", "some/file: expected a JPEG or PNG file, found an empty file"},
        {"hello", "some/file: expected a JPEG or PNG file, found an unknown format"},
        {"\xFF\xD8", "an unknown format"},
        {"\x89PNG\r\n", "an unknown format"},
        {"GIF89a", "some/file: expected a JPEG or PNG file, found a GIF file"},
        {"BM1234", "a BMP file"},
        {std::string("RIFF\0\0\0\0WEBPVP8 ", 16), "a WebP file"},
        {std::string("II*\0", 4), "a TIFF file"},
        {"\xFF\xD8\xFF", "some/file: cannot decode it as JPEG: the file ends before the image is complete"},
        {"\xFF\xD8\xFF\xD9", "some/file: cannot decode it as JPEG: "},
        {"\x89PNG\r\n\x1A\n", "some/file: cannot decode it as PNG: the file ends before the image is complete"},
    };
    for (const auto& [content, expected] : cases) {
        CAPTURE(expected);
        const std::string message = refusal(bytes_from(content));
        CHECK_MESSAGE(contains(message, expected), message);
    }
    CHECK(contains(refusal(bytes_of("picture.gif")), "a GIF file"));
    CHECK(contains(refusal(bytes_of("bad_palette_index.png")), "expected palette indices below 2, found 2"));
    CHECK(contains(refusal(bytes_of("billions_of_pixels.png")), "found 2147483647 x 2147483647"));
}

TEST_CASE("a file that can't be read is refused with the reason") {
    const auto refusal = [](const std::filesystem::path& path, const DecodeOptions& options = {}) {
        return error_of([&] { tenon::read_image(path, options); });
    };
    CHECK(refusal("no/such/file.jpg") == "no/such/file.jpg: cannot open the file: No such file or directory");
    CHECK(contains(refusal(file_path(".")), ": expected a file, found a folder"));
    DecodeOptions options;
    options.max_file_bytes = 1000;
    CHECK(contains(refusal(file_path("picture.png"), options), ": expected at most 1000 bytes, found more"));
    options.max_file_bytes = std::filesystem::file_size(file_path("picture.png"));
    CHECK(refusal(file_path("picture.png"), options) == "(no error)");
}

TEST_CASE("every truncation of a file is refused") {
    for (const std::string name : {"subsampled.jpg", "progressive.jpg", "restart.jpg", "orientation_3.jpg", "alpha.png",
                                   "palette.png", "interlaced.png"}) {
        CAPTURE(name);
        const std::vector<std::byte> whole = bytes_of(name);
        CHECK(refusal(whole) == "(no error)");
        int accepted = 0;
        for (std::size_t size = 0; size < whole.size(); ++size) {
            accepted += refusal({whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size)}) == "(no error)";
        }
        CHECK(accepted == 0);
    }
}

TEST_CASE("a JPEG cut in the middle is decoded as far as it goes if the caller wants that") {
    const Image whole = tenon::read_image(file_path("full_chroma.jpg"));
    std::vector<std::byte> bytes = bytes_of("full_chroma.jpg");
    bytes.resize(bytes.size() / 2);
    DecodeOptions options;
    options.accept_damaged_jpeg = true;
    const Image part = tenon::decode_image(bytes, "part", options);
    REQUIRE(part.pixels().size() == whole.pixels().size());
    CHECK(part != whole);
    for (int y = 0; y < 8; ++y) CHECK(std::ranges::equal(part.row(y), whole.row(y)));
}

TEST_CASE("a JPEG whose data is damaged is refused, or decoded with made-up pixels if the caller wants that") {
    // A restart marker out of order, and an end-of-image marker in the middle.
    std::vector<std::byte> restart = bytes_of("restart.jpg");
    const std::byte second_marker[] = {std::byte{0xFF}, std::byte{0xD1}};
    const auto marker = std::ranges::search(restart, second_marker).begin();
    REQUIRE(marker != restart.end());
    *(marker + 1) = std::byte{0xD5};
    std::vector<std::byte> ended = bytes_of("subsampled.jpg");
    ended[ended.size() - 200] = std::byte{0xFF};
    ended[ended.size() - 199] = std::byte{0xD9};

    const std::string prefix = "some/file: cannot decode it as JPEG: Corrupt JPEG data: ";
    CHECK(refusal(restart) == prefix + "found marker 0xd5 instead of RST1");
    CHECK(refusal(ended) == prefix + "premature end of data segment");
    DecodeOptions options;
    options.accept_damaged_jpeg = true;
    CHECK(refusal(restart, options) == "(no error)");
    CHECK(refusal(ended, options) == "(no error)");
}

TEST_CASE("a JPEG of very many scans is refused: each goes over the whole image") {
    std::vector<std::byte> bytes = bytes_of("progressive.jpg");
    const std::byte start_of_scan[] = {std::byte{0xFF}, std::byte{0xDA}};
    constexpr std::ptrdiff_t marker_bytes = 2;
    const auto last = std::ranges::find_end(bytes, start_of_scan).begin();
    const std::vector<std::byte> scan(last, bytes.end() - marker_bytes);
    for (int i = 0; i < 500; ++i) bytes.insert(bytes.end() - marker_bytes, scan.begin(), scan.end());
    // Repeated scans are damage, too, so only who accepts that gets as far.
    DecodeOptions options;
    options.accept_damaged_jpeg = true;
    CHECK(refusal(bytes, options) == "some/file: cannot decode it as JPEG: it has more than 500 scans");
}

TEST_CASE("damaged files give an error or an image of the right kind, never a crash") {
    for (const std::string name :
         {"half_subsampled.jpg", "progressive.jpg", "restart.jpg", "orientation_5.jpg", "cmyk.jpg", "palette_4.png",
          "grey_16.png", "interlaced.png", "orientation_6.png", "rgb_transparent.png"}) {
        CAPTURE(name);
        const std::vector<std::byte> whole = bytes_of(name);
        std::set<std::string> messages;
        for (const bool accept_damaged : {false, true}) {
            DecodeOptions options;
            options.accept_damaged_jpeg = accept_damaged;
            options.exif_orientation = true;
            options.max_pixels = 1'000'000;
            for (std::size_t i = 0; i < whole.size(); ++i) {
                std::vector<std::byte> damaged = whole;
                damaged[i] ^= std::byte{static_cast<unsigned char>(1 + i * 37 % 255)};
                messages.insert(refusal(damaged, options));
            }
        }
        CHECK(messages.size() > 3);
    }
}

TEST_CASE("more pixels than allowed are refused") {
    for (const std::string name : {"picture.png", "subsampled.jpg"}) {
        DecodeOptions options;
        options.max_pixels = 61 * 47;
        CHECK(refusal(bytes_of(name), options) == "(no error)");
        --options.max_pixels;
        CHECK(contains(refusal(bytes_of(name), options),
                       "expected at most 2866 pixels (DecodeOptions::max_pixels), found 47 x 61"));
    }
}

TEST_CASE("an image checks its sizes") {
    CHECK_THROWS_AS(Image(0, 1, 3), Error);
    CHECK_THROWS_AS(Image(1, -1, 3), Error);
    CHECK_THROWS_AS(Image(1, 1, 2), Error);
    CHECK_THROWS_WITH_AS(Image(2, 3, 1, std::vector<std::uint8_t>(5)),
                         "expected 6 samples for an image of 2 x 3 pixels with 1 channels, found 5", Error);
    CHECK(Image().empty());
    CHECK_THROWS_AS(tenon::detail::apply_orientation(Image(1, 1, 1), 9), Error);
}
