#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <set>
#include <string>
#include <vector>

#include <doctest/doctest.h>
#include <zlib.h>

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

/// The first box of a file in MP4's container.
std::string media_file(const std::string& major, const std::vector<std::string>& others) {
    std::string box = "ftyp" + major + std::string(4, '\0');
    for (const std::string& brand : others) box += brand;
    return std::string(3, '\0') + static_cast<char>(box.size() + 4) + box;
}

/// What decoding gives: an image or an error, and perhaps a warning.
struct Decoded {
    Image image;
    std::string warning, error;
};

Decoded decoded(const std::vector<std::byte>& bytes, const DecodeOptions& options = {}) {
    Decoded result;
    result.error = error_of([&] { result.image = tenon::decode_image(bytes, "some/file", options, &result.warning); });
    return result;
}

std::vector<std::byte> first(const std::vector<std::byte>& bytes, std::size_t count) {
    return {bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(count)};
}

/// A file with `part` inserted at `position`.
std::vector<std::byte> with_part(std::vector<std::byte> bytes, std::size_t position, const std::string& part) {
    const std::vector<std::byte> inserted = bytes_from(part);
    bytes.insert(bytes.begin() + static_cast<std::ptrdiff_t>(position), inserted.begin(), inserted.end());
    return bytes;
}

std::string big_endian(std::size_t value, int size) {
    std::string text;
    for (int shift = 8 * (size - 1); shift >= 0; shift -= 8) text += static_cast<char>(value >> shift & 255);
    return text;
}

std::string xmp_marker(const std::string& xmp) {
    const std::string content = std::string("http://ns.adobe.com/xap/1.0/\0", 29) + xmp;
    return "\xFF\xE1" + big_endian(content.size() + 2, 2) + content;
}

std::string xmp_chunk(const std::string& xmp) {
    const std::string content = "iTXt" + std::string("XML:com.adobe.xmp\0\0\0\0\0", 22) + xmp;
    const auto* const data = reinterpret_cast<const unsigned char*>(content.data());
    return big_endian(content.size() - 4, 4) + content +
           big_endian(crc32(0, data, static_cast<unsigned>(content.size())), 4);
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
        if (name.ends_with(".webp") && !tenon::detail::reads_webp) {
            CHECK(contains(refusal(bytes_of(name)), "found a WebP file, which takes a tenon::image with libwebp"));
            continue;
        }
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
    const std::string expected_kinds = "some/file: expected a " + std::string(tenon::detail::image_kinds) + " file, ";
    const std::vector<std::pair<std::string, std::string>> cases = {
        {"", expected_kinds + "found an empty file"},
        {"hello", expected_kinds + "found an unknown format"},
        {"\xFF\xD8", "an unknown format"},
        {"\x89PNG\r\n", "an unknown format"},
        {"GIF89a", expected_kinds + "found a GIF file"},
        {"BM1234", "found a BMP file"},
        {std::string("RIFF\0\0\0\0WAVEfmt ", 16), "found an unknown format"},
        {std::string("II*\0", 4), "found a TIFF file"},
        {"version https://git-lfs.github.com/spec/v1\noid sha256:0", "found a pointer of Git LFS; `git lfs pull`"},
        {"<!DOCTYPE html>", "found an HTML, XML or SVG file"},
        {media_file("heic", {}), "found a HEIF file"},
        {media_file("heix", {"mif1"}), "found a HEIF file"},
        {media_file("hevc", {}), "found a HEIF file"},
        {media_file("mif1", {"heic"}), "found a HEIF file"},
        {media_file("msf1", {}), "found a HEIF file"},
        {media_file("avif", {"mif1", "miaf"}), "found an AVIF file"},
        {media_file("mif1", {"miaf", "avif"}), "found an AVIF file"},
        {media_file("crx ", {"isom"}), "found a raw photo of a Canon camera (CR3)"},
        {media_file("isom", {"mp42"}), "found a video file (MP4 or QuickTime)"},
        {media_file("qt  ", {}) + "avif", "found a video file (MP4 or QuickTime)"},
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

TEST_CASE("every truncation of a file is refused, or gives all of its pixels and a warning") {
    for (const std::string name : {"subsampled.jpg", "progressive.jpg", "restart.jpg", "orientation_3.jpg", "grey.jpg",
                                   "alpha.png", "palette.png", "interlaced.png"}) {
        CAPTURE(name);
        const std::vector<std::byte> whole = bytes_of(name);
        const Decoded right = decoded(whole);
        CHECK(right.error == "(no error)");
        CHECK(right.warning.empty());
        std::size_t accepted = 0, equal = 0;
        std::string refusals;
        for (std::size_t size = 0; size < whole.size(); ++size) {
            const Decoded part = decoded(first(whole, size));
            if (part.error != "(no error)") {
                if (size > 11) refusals = part.error;
                continue;
            }
            ++accepted;
            equal += part.image == right.image;
            CHECK(part.warning == "some/file: all pixels are there, but the " +
                                      std::string(name.ends_with("jpg") ? "JPEG" : "PNG") + "'s end is not");
        }
        CHECK(accepted == equal);
        // A JPEG's mark has 2 bytes; a PNG's last chunk 12, before it a checksum of the chunk and one of its content.
        CHECK(accepted >= (name.ends_with("jpg") ? 2 : 12));
        CHECK(accepted <= (name.ends_with("jpg") ? 2 : 20));
        CHECK(contains(refusals, ": the file ends before the image is complete"));
    }
}

TEST_CASE("a JPEG is complete without the mark of its end, whatever follows") {
    const std::vector<std::byte> whole = bytes_of("subsampled.jpg");
    const Image right = tenon::decode_image(whole, "whole");
    // As in the panoramas of some phones, and with what would be an error inside of an image: a second beginning, a
    // scan.
    for (const std::string& after : {std::string(4000, '\7'), std::string("\xFF\xD8\xFF\xE0"), std::string("\xFF"),
                                     std::string("\xFF\xDA\0\x0C\3\1\0\2\x11\3\x11\0\x3F\0", 14)}) {
        const Decoded part = decoded(with_part(first(whole, whole.size() - 2), whole.size() - 2, after));
        CHECK(part.error == "(no error)");
        CHECK(part.image == right);
        CHECK(part.warning == "some/file: all pixels are there, but the JPEG's end is not");
    }
    // What follows the mark is nobody's business.
    CHECK(decoded(with_part(whole, whole.size(), std::string(100, '\7'))).warning.empty());
}

TEST_CASE("a progressive JPEG that ends between two scans lacks the others") {
    const std::vector<std::byte> whole = bytes_of("progressive.jpg");
    const std::byte start_of_scan[] = {std::byte{0xFF}, std::byte{0xDA}}, table[] = {std::byte{0xFF}, std::byte{0xC4}};
    const auto position = [&](auto found) { return static_cast<std::size_t>(found.begin() - whole.begin()); };
    for (const std::size_t end :
         {position(std::ranges::find_end(whole, start_of_scan)), position(std::ranges::find_end(whole, table))}) {
        REQUIRE(end < whole.size());
        CHECK(contains(decoded(first(whole, end)).error, ": the file ends before the image is complete"));
        const Decoded blurred = decoded(first(whole, end), {.accept_damaged = true});
        CHECK(blurred.error == "(no error)");
        CHECK(blurred.warning == "some/file: the file ends before the image is complete");
    }
}

TEST_CASE("a PNG cut in the middle or with a wrong checksum is decoded as far as it goes if the caller wants that") {
    const std::vector<std::byte> whole = bytes_of("picture.png");
    const Image right = tenon::decode_image(whole, "whole");
    const Decoded part = decoded(first(whole, whole.size() / 2), {.accept_damaged = true});
    CHECK(part.error == "(no error)");
    CHECK(part.warning == "some/file: the file ends before the image is complete");
    CHECK(part.image != right);
    for (int y = 0; y < 20; ++y) CHECK(std::ranges::equal(part.image.row(y), right.row(y)));
    CHECK(std::ranges::all_of(part.image.row(60), [](int sample) { return sample == 0; }));

    std::vector<std::byte> wrong = whole;
    wrong[wrong.size() - 13] ^= std::byte{1};  // of IDAT
    CHECK(decoded(wrong).error == "some/file: cannot decode it as PNG: IDAT: CRC error");
    const Decoded accepted = decoded(wrong, {.accept_damaged = true});
    CHECK(accepted.image == right);
    CHECK(contains(accepted.warning, "CRC error"));
}

TEST_CASE("an orientation is read wherever cameras and programs write it, as PIL does") {
    const DecodeOptions upright{.exif_orientation = true};
    const Image right = tenon::read_image(file_path("orientation_6.jpg"), upright);
    const std::vector<std::byte> tagged = bytes_of("orientation_6.jpg"), plain = bytes_of("orientation_1.jpg");
    REQUIRE(tenon::decode_image(tagged, "stored") == tenon::decode_image(plain, "stored"));
    const auto entry = std::ranges::search(tagged, bytes_from(std::string("\x12\x01\x03\x00", 4)));
    REQUIRE(!entry.empty());
    const auto with_type = [&](int type) {
        std::vector<std::byte> changed = tagged;
        changed[static_cast<std::size_t>(entry.begin() - tagged.begin()) + 2] = static_cast<std::byte>(type);
        return tenon::decode_image(changed, "tagged", upright);
    };
    const Image stored = tenon::decode_image(tagged, "stored");
    CHECK(with_type(1) == right);   // BYTE
    CHECK(with_type(4) == right);   // LONG
    CHECK(with_type(2) == stored);  // text

    // Without EXIF, XMP says it; an EXIF tag of 1 is the last word.
    const std::byte quantization[] = {std::byte{0xFF}, std::byte{0xDB}};
    const auto from = static_cast<std::ptrdiff_t>(20);
    const auto to = std::ranges::search(tagged, quantization).begin() - tagged.begin();
    std::vector<std::byte> bare = tagged;
    bare.erase(bare.begin() + from, bare.begin() + to);
    REQUIRE(tenon::decode_image(bare, "bare", upright) == stored);
    for (const std::string xmp : {"<rdf:Description tiff:Orientation=\"6\"/>", "<tiff:Orientation>6</tiff:Orientation>",
                                  "<a tiff:Orientation='8' /><tiff:OrientationX>2<tiff:Orientation>6<"}) {
        CHECK(tenon::decode_image(with_part(bare, 2, xmp_marker(xmp)), "xmp", upright) == right);
        CHECK(tenon::decode_image(with_part(bare, 2, xmp_marker(xmp)), "xmp") == stored);
        CHECK(tenon::decode_image(with_part(plain, 2, xmp_marker(xmp)), "xmp", upright) == stored);
        const Image png = tenon::read_image(file_path("picture.png"));
        CHECK(tenon::decode_image(with_part(bytes_of("picture.png"), 33, xmp_chunk(xmp)), "png", upright) ==
              tenon::detail::apply_orientation(png, 6));
    }
    for (const std::string xmp :
         {"tiff:Orientation=\"9\"", "tiff:Orientation=\"", "tiff:Orientation>x", "tiff:Orientation"})
        CHECK(tenon::decode_image(with_part(bare, 2, xmp_marker(xmp)), "xmp", upright) == stored);
}

TEST_CASE("a JPEG cut in the middle is decoded as far as it goes if the caller wants that") {
    const Image whole = tenon::read_image(file_path("full_chroma.jpg"));
    std::vector<std::byte> bytes = bytes_of("full_chroma.jpg");
    bytes.resize(bytes.size() / 2);
    DecodeOptions options;
    options.accept_damaged = true;
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
    options.accept_damaged = true;
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
    options.accept_damaged = true;
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
            options.accept_damaged = accept_damaged;
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
    std::vector<std::string> names{"picture.png", "subsampled.jpg"};
    if (tenon::detail::reads_webp) names.insert(names.end(), {"lossy.webp", "lossless.webp"});
    for (const std::string& name : names) {
        DecodeOptions options;
        options.max_pixels = 61 * 47;
        CHECK(refusal(bytes_of(name), options) == "(no error)");
        CHECK(DecodeOptions{}.max_pixels == 178'956'970);  // where PIL refuses
        --options.max_pixels;
        CHECK(contains(refusal(bytes_of(name), options),
                       "expected at most 2866 pixels (DecodeOptions::max_pixels), found 47 x 61"));
    }
}

#ifdef TENON_WEBP

TEST_CASE("every truncation of a WebP file is refused, or gives all of its pixels") {
    for (const std::string name : {"lossy.webp", "lossless.webp", "alpha_lossy.webp", "orientation_6.webp"}) {
        CAPTURE(name);
        const std::vector<std::byte> whole = bytes_of(name);
        const Decoded right = decoded(whole);
        CHECK(right.error == "(no error)");
        CHECK(right.warning.empty());
        std::size_t accepted = 0, rows_kept = 0;
        for (std::size_t size = 12; size < whole.size(); ++size) {
            const Decoded part = decoded(first(whole, size)),
                          taken = decoded(first(whole, size), {.accept_damaged = true});
            if (part.error == "(no error)") {
                ++accepted;
                CHECK(part.image == right.image);
                CHECK(part.warning == "some/file: all pixels are there, but the WebP's end is not");
                CHECK(taken.image == right.image);
                continue;
            }
            CHECK(part.error == "some/file: cannot decode it as WebP: the file ends before the image is complete");
            if (taken.error != "(no error)") continue;
            CHECK(taken.warning == "some/file: the file ends before the image is complete");
            CHECK(std::ranges::equal(taken.image.row(0), right.image.row(0)));
            CHECK(std::ranges::all_of(taken.image.row(taken.image.height() - 1), [](int value) { return value == 0; }));
            ++rows_kept;
        }
        // The orientation's file ends with a chunk of EXIF data; others at most with a byte that fills a chunk.
        CHECK((name == "orientation_6.webp" ? accepted >= 8 + 26 && accepted < 48 : accepted <= 2));
        if (name == "lossy.webp" || name == "lossless.webp") CHECK(rows_kept > whole.size() / 3);
    }
}

TEST_CASE("a damaged WebP file gives an error or an image, and an animation is named") {
    CHECK(refusal(bytes_of("bad_animation.webp")) ==
          "some/file: cannot decode it as WebP: expected a still image, found an animation");
    CHECK(contains(refusal(bytes_from(std::string("RIFF\0\0\0\0WEBPVP8 ", 16))), "cannot decode it as WebP: "));
    for (const std::string name : {"lossy.webp", "alpha_lossless.webp", "orientation_8.webp", "bad_animation.webp"}) {
        CAPTURE(name);
        const std::vector<std::byte> whole = bytes_of(name);
        std::set<std::string> messages;
        for (const bool accept_damaged : {false, true})
            for (std::size_t i = 0; i < whole.size(); ++i) {
                std::vector<std::byte> damaged = whole;
                damaged[i] ^= std::byte{static_cast<unsigned char>(1 + i * 37 % 255)};
                messages.insert(refusal(
                    damaged, {.exif_orientation = true, .accept_damaged = accept_damaged, .max_pixels = 1'000'000}));
            }
        CHECK(messages.contains("some/file: cannot decode it as WebP: its data is damaged"));
    }
}

TEST_CASE("an orientation is found in a WebP file's chunks, and EXIF data is asked first") {
    const std::vector<std::byte> bytes = bytes_of("orientation_3.webp");
    const Image stored = tenon::decode_image(bytes, "stored");
    const auto oriented = [&](const std::vector<std::byte>& file) {
        return tenon::decode_image(file, "webp", {.exif_orientation = true});
    };
    CHECK(oriented(bytes) == tenon::detail::apply_orientation(stored, 3));
    // Chunks of EXIF data after it, of an odd number of bytes, without and with the mark that JPEG has.
    const std::string tiff = std::string("II*\0\10\0\0\0\1\0\x12\1\3\0\1\0\0\0\5\0\0\0\0", 23);
    for (const std::string& exif : {tiff, std::string("Exif\0\0", 6) + tiff}) {
        REQUIRE(exif.size() % 2 == 1);
        const std::string chunk = "EXIF" + std::string(1, static_cast<char>(exif.size())) + std::string(3, '\0') + exif;
        CHECK(oriented(with_part(bytes, bytes.size(), chunk)) == tenon::detail::apply_orientation(stored, 5));
        // A chunk that claims more than there is holds nothing.
        CHECK(oriented(with_part(bytes, bytes.size(), chunk.substr(0, chunk.size() - 1))) ==
              tenon::detail::apply_orientation(stored, 3));
    }
}

#endif

TEST_CASE("an image checks its sizes") {
    CHECK_THROWS_AS(Image(0, 1, 3), Error);
    CHECK_THROWS_AS(Image(1, -1, 3), Error);
    CHECK_THROWS_AS(Image(1, 1, 2), Error);
    CHECK_THROWS_WITH_AS(Image(2, 3, 1, std::vector<std::uint8_t>(5)),
                         "expected 6 samples for an image of 2 x 3 pixels with 1 channels, found 5", Error);
    CHECK(Image().empty());
    CHECK_THROWS_AS(tenon::detail::apply_orientation(Image(1, 1, 1), 9), Error);
}
