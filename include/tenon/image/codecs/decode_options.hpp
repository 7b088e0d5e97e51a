#pragma once
// IWYU pragma: private, include <tenon/image.hpp>

// The options of decoding an image file.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include <tenon/core/cold.hpp>
#include <tenon/core/error.hpp>
#include <tenon/core/isa.hpp>
#include <tenon/core/sentence.hpp>

namespace tenon {

/// The channels of a decoded image.
enum class Color {
    rgb,  ///< red, green, blue; a gray file's samples are repeated
    gray  ///< one channel, the luma of a color file
};

/// How an image file is decoded.
struct DecodeOptions {
    Color color = Color::rgb;

    /// Whether the image is rotated as the camera says, by the orientation in its EXIF data or else in its XMP data.
    /// Off by default, as in PIL and torchvision: networks were trained on images as they are stored.
    bool exif_orientation = false;

    /// Whether a file whose data is damaged or ends early is decoded as far as possible (the rest is gray in a JPEG,
    /// black in a PNG or WebP) instead of refused.
    bool accept_damaged = false;

    /// Files that claim more pixels are refused before memory is allocated for them. A file of a few kilobytes can
    /// claim billions. The default is where PIL refuses, half a gigabyte of RGB; a phone's 108 megapixels are below.
    std::int64_t max_pixels = 178'956'970;

    /// Larger files are refused by read_image.
    std::size_t max_file_bytes = std::size_t{512} * 1024 * 1024;
};

namespace detail {
inline namespace TENON_ISA_NAMESPACE {

/// Whether WebP files are read. The macro comes from the target tenon::image where CMake finds libwebp; all files of a
/// program are compiled with it or none.
#ifdef TENON_WEBP
inline constexpr bool reads_webp = true;
#else
inline constexpr bool reads_webp = false;
#endif

/// The kinds of files that are read, for sentences.
inline constexpr std::string_view image_kinds = reads_webp ? "JPEG, PNG or WebP" : "JPEG or PNG";

/// `a.png: cannot decode it as PNG: REASON`.
template <class Once = void>
TENON_COLD Error decode_error(std::string_view name, std::string_view format, std::string_view reason) {
    return Error(detail::joined({name, ": cannot decode it as ", format, ": ", reason}));
}

/// `a.png: REASON` as a warning, for a caller who asked for one.
template <class Once = void>
TENON_COLD void warn(std::string* warning, std::string_view name, std::string_view reason) {
    if (warning != nullptr) *warning = std::string(name) + ": " + std::string(reason);
}

/// Throws tenon::Error when a file claims more than options.max_pixels.
template <class Once = void>
TENON_RUNS_ONCE void check_pixel_count(std::int64_t height, std::int64_t width, const DecodeOptions& options,
                                       std::string_view name, std::string_view format) {
    // Both are below 2^31, so the product can't overflow.
    if (height * width > options.max_pixels)
        throw decode_error(name, format,
                           "expected at most " + std::to_string(options.max_pixels) +
                               " pixels (DecodeOptions::max_pixels), found " + std::to_string(width) + " x " +
                               std::to_string(height));
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace detail

}  // namespace tenon

namespace tenon::programs {

/// The kinds of image files that are read, for sentences: `JPEG or PNG`.
using detail::image_kinds;

}  // namespace tenon::programs
