#pragma once
// IWYU pragma: private, include <tenon/image.hpp>

// Reading image files: JPEG and PNG, recognized by their content. Part of the component tenon::image (libjpeg, libpng).
//
//     tenon::Image image = tenon::read_image("cat.jpg");

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include <tenon/core/error.hpp>
#include <tenon/core/isa.hpp>
#include <tenon/image/codecs/decode_options.hpp>
#include <tenon/image/codecs/jpeg.hpp>
#include <tenon/image/codecs/png.hpp>
#include <tenon/image/image.hpp>
#include <tenon/io/read_file.hpp>

namespace tenon {

namespace detail {
inline namespace TENON_ISA_NAMESPACE {

inline bool begins_with(std::span<const std::byte> bytes, std::string_view signature, std::size_t offset = 0) {
    return bytes.size() >= offset + signature.size() &&
           std::memcmp(bytes.data() + offset, signature.data(), signature.size()) == 0;
}

/// The name of an image format that is recognized but can't be decoded; empty when the bytes are in no known format.
inline std::string_view unsupported_format(std::span<const std::byte> bytes) {
    if (begins_with(bytes, "GIF8")) return "GIF";
    if (begins_with(bytes, "BM")) return "BMP";
    if (begins_with(bytes, "RIFF") && begins_with(bytes, "WEBP", 8)) return "WebP";
    if (begins_with(bytes, {"II*\0", 4}) || begins_with(bytes, {"MM\0*", 4})) return "TIFF";
    if (begins_with(bytes, "ftypheic", 4) || begins_with(bytes, "ftypmif1", 4)) return "HEIF";
    if (begins_with(bytes, "ftypavif", 4)) return "AVIF";
    if (begins_with(bytes, {"\0\0\0\x0CjP  ", 8})) return "JPEG 2000";
    return {};
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace detail

inline namespace TENON_ISA_NAMESPACE {

/// Decodes a JPEG or PNG file in memory. `name` is its name in error messages.
///
/// Pixels equal those of PIL's `Image.open(name).convert("RGB")` bit for bit (`convert("L")` for Color::gray): palettes
/// are looked up, alpha is dropped without blending, 16-bit samples lose their low byte, CMYK is taken to be Adobe's.
/// The one exception is 16-bit gray PNG, where PIL clips instead and nearly all pixels become white; here it loses its
/// low byte too.
///
/// Throws tenon::Error when the file is of another format, damaged or truncated, or larger than `options` allow.
inline Image decode_image(std::span<const std::byte> bytes, std::string_view name, const DecodeOptions& options = {}) {
    Image image;
    if (detail::begins_with(bytes, "\xFF\xD8\xFF")) {
        image = detail::decode_jpeg(bytes, name, options);
    } else if (detail::begins_with(bytes, "\x89PNG\r\n\x1A\n")) {
        image = detail::decode_png(bytes, name, options);
    } else {
        const std::string_view format = detail::unsupported_format(bytes);
        throw Error(std::string(name) + ": expected a JPEG or PNG file, found " +
                    (bytes.empty()     ? "an empty file"
                     : !format.empty() ? "a " + std::string(format) + " file"
                                       : "an unknown format"));
    }
    return options.color == Color::rgb ? to_rgb(std::move(image)) : to_gray(std::move(image));
}

/// Reads and decodes a JPEG or PNG file; see decode_image. Throws tenon::Error as decode_image does, and when the file
/// can't be read.
inline Image read_image(const std::filesystem::path& path, const DecodeOptions& options = {}) {
    return decode_image(detail::read_file(path, options.max_file_bytes), path.string(), options);
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon
