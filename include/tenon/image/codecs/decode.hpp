#pragma once
// IWYU pragma: private, include <tenon/image.hpp>

// Reading image files: JPEG, PNG and, with libwebp, WebP, recognized by their content. Part of the component
// tenon::image.
//
//     tenon::Image image = tenon::read_image("cat.jpg");

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include <tenon/core/cold.hpp>
#include <tenon/core/error.hpp>
#include <tenon/core/isa.hpp>
#include <tenon/core/sentence.hpp>
#include <tenon/core/span_of.hpp>
#include <tenon/image/codecs/decode_options.hpp>
#include <tenon/image/codecs/jpeg.hpp>
#include <tenon/image/codecs/png.hpp>
#include <tenon/image/codecs/webp.hpp>
#include <tenon/image/image.hpp>
#include <tenon/io/read_file.hpp>

namespace tenon {

namespace detail {
inline namespace TENON_ISA_NAMESPACE {

inline bool begins_with(std::span<const std::byte> bytes, std::string_view signature, std::size_t offset = 0) {
    return bytes.size() >= offset + signature.size() &&
           std::memcmp(bytes.data() + offset, signature.data(), signature.size()) == 0;
}

/// What a file in the container of MP4 is, by the brands in its first box: `ftyp`, the major brand, a version, and the
/// other brands. `ftypheix` -> "a HEIF file".
template <class Once = void>
TENON_RUNS_ONCE std::string_view media_format(std::span<const std::byte> bytes) {
    const std::size_t length = std::to_integer<std::size_t>(bytes[2]) << 8 | std::to_integer<std::size_t>(bytes[3]);
    const std::size_t end = std::min(std::max<std::size_t>(length, 12), bytes.size());
    const auto has_brand = [&](std::initializer_list<std::string_view> brands) {
        for (std::size_t at = 8; at + 4 <= end; at += 4)
            for (const std::string_view brand : brands)
                if (at != 12 && begins_with(bytes, brand, at)) return true;
        return false;
    };
    if (has_brand({"avif", "avis"})) return "an AVIF file";
    if (has_brand({"heic", "heix", "heim", "heis", "hevc", "hevx", "hevm", "hevs", "mif1", "mif2", "msf1", "miaf"}))
        return "a HEIF file";
    if (has_brand({"crx "})) return "a raw photo of a Canon camera (CR3)";
    return "a video file (MP4 or QuickTime)";
}

/// What bytes are that can't be decoded.
template <class Once = void>
TENON_RUNS_ONCE std::string_view other_format(std::span<const std::byte> bytes) {
    struct Format {
        std::string_view signature, name;
        std::size_t offset = 0;
    };
    static constexpr Format formats[] = {
        {"GIF8", "a GIF file"},
        {"BM", "a BMP file"},
        {"WEBP", "a WebP file, which takes a tenon::image with libwebp (TENON_WEBP)", 8},
        {{"II*\0", 4}, "a TIFF file"},
        {{"MM\0*", 4}, "a TIFF file"},
        {{"\0\0\0\x0CjP  ", 8}, "a JPEG 2000 file"},
        {{"\0\0\0\x0CJXL ", 8}, "a JPEG XL file"},
        {"\xFF\x0A", "a JPEG XL file"},
        {{"\0\0\1\0", 4}, "an ICO file"},
        {"8BPS", "a Photoshop file"},
        {"%PDF", "a PDF file"},
        {"version https://git-lfs", "a pointer of Git LFS; `git lfs pull` replaces it by the file"},
        {"PK\3\4", "a ZIP archive"},
        {"\x1F\x8B", "a file compressed by gzip"},
        {"<", "an HTML, XML or SVG file"},
    };
    if (bytes.empty()) return "an empty file";
    for (const Format& format : formats)
        if (begins_with(bytes, format.signature, format.offset)) return format.name;
    return begins_with(bytes, "ftyp", 4) && bytes.size() >= 12 ? media_format(bytes) : "an unknown format";
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace detail

inline namespace TENON_ISA_NAMESPACE {

/// Decodes a JPEG, PNG or WebP file in memory; WebP where TENON_WEBP is defined. `name` is its name in error messages.
///
/// Pixels equal those of PIL's `Image.open(name).convert("RGB")` bit for bit (`convert("L")` for Color::gray): palettes
/// are looked up, alpha is dropped without blending, 16-bit samples lose their low byte, CMYK is taken to be Adobe's.
/// The one exception is 16-bit gray PNG, where PIL clips instead and nearly all pixels become white; here it loses its
/// low byte too.
///
/// A file whose pixels are all there but whose end is missing, as some phones write them, is read; `warning`, if given,
/// then says so, and also when `options.accept_damaged` lets a damaged file pass. Without a reason it stays as it is.
///
/// Throws tenon::Error when the file is of another format, damaged or truncated, or larger than `options` allow.
template <class Once = void>
TENON_RUNS_ONCE Image decode_image(std::span<const std::byte> bytes, std::string_view name,
                                   const DecodeOptions& options = {}, std::string* warning = nullptr) {
    Image image;
    if (detail::begins_with(bytes, "\xFF\xD8\xFF")) {
        image = detail::decode_jpeg(bytes, name, options, warning);
    } else if (detail::begins_with(bytes, "\x89PNG\r\n\x1A\n")) {
        image = detail::decode_png(bytes, name, options, warning);
#ifdef TENON_WEBP
    } else if (detail::begins_with(bytes, "RIFF") && detail::begins_with(bytes, "WEBP", 8)) {
        image = detail::decode_webp(bytes, name, options, warning);
#endif
    } else {
        detail::throw_error({name, ": expected a ", detail::image_kinds, " file, found ", detail::other_format(bytes)});
    }
    return options.color == Color::rgb ? to_rgb(std::move(image)) : to_gray(std::move(image));
}

/// Reads and decodes an image file; see decode_image. Throws tenon::Error as decode_image does, and when the file
/// can't be read.
template <class Once = void>
Image read_image(const std::string& path, const DecodeOptions& options = {}, std::string* warning = nullptr) {
    return decode_image(detail::span_of(detail::read_file(path, options.max_file_bytes)), path, options, warning);
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon
