#pragma once
// IWYU pragma: private, include <tenon/image.hpp>

// Decoding JPEG with libjpeg-turbo. Its default inverse DCT and chroma upsampling make the pixels equal PIL's and
// torchvision's bit for bit.

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tenon/core/index.hpp>
#include <tenon/core/isa.hpp>
#include <tenon/core/span_of.hpp>
#include <tenon/image/codecs/decode_options.hpp>
#include <tenon/image/codecs/jpeg_session.hpp>
#include <tenon/image/image.hpp>
#include <tenon/image/orientation.hpp>

namespace tenon {

namespace detail {
inline namespace TENON_ISA_NAMESPACE {

/// RGB from the inverted CMYK that Adobe's programs write into JPEG files, as PIL converts it.
template <class Once = void>
Image rgb_from_inverted_cmyk(int height, int width, std::span<const std::uint8_t> cmyk) {
    Image rgb(height, width, 3);
    std::uint8_t* target = rgb.pixels().data();
    for (std::size_t i = 0; i < cmyk.size(); i += 4) {
        const int light = cmyk[i + 3];
        for (std::size_t channel = 0; channel < 3; ++channel) {
            const int product = (255 - cmyk[i + channel]) * light + 128;
            *target++ = static_cast<std::uint8_t>(light - ((product + (product >> 8)) >> 8));
        }
    }
    return rgb;
}

/// Decodes a JPEG file; see decode_image.
template <class Once = void>
Image decode_jpeg(std::span<const std::byte> bytes, std::string_view name, const DecodeOptions& options,
                  std::string* warning = nullptr) {
    JpegSession session(bytes, options.accept_damaged);
    if (!session.read_header(options.exif_orientation)) throw decode_error(name, "JPEG", session.message());
    const int height = session.height();
    const int width = session.width();
    check_pixel_count(height, width, options, name, "JPEG");
    const int orientation = options.exif_orientation ? stated_orientation(session.exif(), session.xmp()) : 1;

    Image image;
    const auto read_pixels = [&](J_COLOR_SPACE color_space, std::uint8_t* pixels, std::size_t channels) {
        if (!session.read_pixels(color_space, pixels, index(width) * channels))
            throw decode_error(name, "JPEG", session.message());
        if (!session.warning().empty()) warn(warning, name, session.warning());
    };
    switch (session.components()) {
        case 1:
            image = Image(height, width, 1);
            read_pixels(JCS_GRAYSCALE, image.pixels().data(), 1);
            break;
        case 3:
            image = Image(height, width, 3);
            read_pixels(JCS_RGB, image.pixels().data(), 3);
            break;
        case 4: {
            std::vector<std::uint8_t> cmyk(index(height) * index(width) * 4);
            read_pixels(JCS_CMYK, cmyk.data(), 4);
            image = rgb_from_inverted_cmyk(height, width, span_of(cmyk));
            break;
        }
        default:
            throw decode_error(
                name, "JPEG",
                "expected 1 (gray), 3 (color) or 4 (CMYK) components, found " + std::to_string(session.components()));
    }
    return apply_orientation(std::move(image), orientation);
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace detail

}  // namespace tenon
