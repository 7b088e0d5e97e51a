#pragma once
// IWYU pragma: private, include <tenon/image.hpp>

// Decoding WebP with libwebp, where tenon::image was built with it (TENON_WEBP). Both kinds, lossy and lossless; of an
// animation nothing.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include <tenon/core/isa.hpp>
#include <tenon/image/codecs/decode_options.hpp>
#include <tenon/image/image.hpp>
#include <tenon/image/orientation.hpp>

#ifdef TENON_WEBP
#include <webp/decode.h>
#endif

namespace tenon::detail {
inline namespace TENON_ISA_NAMESPACE {

/// The unsigned number in 4 bytes, the lowest first.
inline std::size_t webp_number(std::span<const std::byte> bytes) {
    std::size_t value = 0;
    for (std::size_t i = 4; i-- > 0;) value = value << 8 | std::to_integer<std::size_t>(bytes[i]);
    return value;
}

/// The content of the first chunk of a kind in a WebP file; empty when there is none that is complete.
template <class Once = void>
std::span<const std::byte> webp_chunk(std::span<const std::byte> bytes, std::string_view kind) {
    constexpr std::size_t riff_header = 12, chunk_header = 8;
    bytes = bytes.subspan(std::min(riff_header, bytes.size()));
    while (bytes.size() >= chunk_header) {
        const std::size_t length = webp_number(bytes.subspan(4));
        if (length > bytes.size() - chunk_header) break;
        if (std::memcmp(bytes.data(), kind.data(), 4) == 0) return bytes.subspan(chunk_header, length);
        // Chunks have an even number of bytes.
        bytes = bytes.subspan(std::min(chunk_header + length + length % 2, bytes.size()));
    }
    return {};
}

/// The orientation that a WebP file states. The format has no "Exif" before EXIF data; many programs write it.
template <class Once = void>
int webp_orientation(std::span<const std::byte> bytes) {
    constexpr std::string_view prefix{"Exif\0\0", 6};
    std::span<const std::byte> exif = webp_chunk(bytes, "EXIF");
    if (exif.size() >= prefix.size() && std::memcmp(exif.data(), prefix.data(), prefix.size()) == 0)
        exif = exif.subspan(prefix.size());
    return stated_orientation(exif, webp_chunk(bytes, "XMP "));
}

#ifdef TENON_WEBP

inline std::string_view webp_reason(VP8StatusCode status) {
    switch (status) {
        case VP8_STATUS_SUSPENDED:
        case VP8_STATUS_NOT_ENOUGH_DATA:
            return "the file ends before the image is complete";
        case VP8_STATUS_OUT_OF_MEMORY:
            return "libwebp has no memory";
        case VP8_STATUS_UNSUPPORTED_FEATURE:
            return "it has a feature that libwebp doesn't know";
        default:
            return "its data is damaged";
    }
}

/// Decodes a WebP file; see decode_image.
template <class Once = void>
Image decode_webp(std::span<const std::byte> bytes, std::string_view name, const DecodeOptions& options,
                  std::string* warning = nullptr) {
    const auto* const data = reinterpret_cast<const std::uint8_t*>(bytes.data());
    WebPBitstreamFeatures features;
    if (const VP8StatusCode status = WebPGetFeatures(data, bytes.size(), &features); status != VP8_STATUS_OK)
        throw decode_error(name, "WebP", webp_reason(status));
    if (features.has_animation != 0) throw decode_error(name, "WebP", "expected a still image, found an animation");
    check_pixel_count(features.height, features.width, options, name, "WebP");

    Image image(features.height, features.width, 3);
    const std::span<std::uint8_t> pixels = image.pixels();
    // Piece by piece: of a file that ends early, the rows before that are decoded. Alpha is dropped without blending.
    struct Delete {
        void operator()(WebPIDecoder* decoder) const { WebPIDelete(decoder); }
    };
    const std::unique_ptr<WebPIDecoder, Delete> decoder(
        WebPINewRGB(MODE_RGB, pixels.data(), pixels.size(), static_cast<int>(image.row_size())));
    const VP8StatusCode status =
        decoder == nullptr ? VP8_STATUS_OUT_OF_MEMORY : WebPIUpdate(decoder.get(), data, bytes.size());
    if (status == VP8_STATUS_OK) {
        // Data about the image may follow it.
        if (webp_number(bytes.subspan(4)) > bytes.size() - 8)
            warn(warning, name, "all pixels are there, but the WebP's end is not");
    } else {
        int rows = 0;
        const bool has_rows = decoder != nullptr && options.accept_damaged &&
                              WebPIDecGetRGB(decoder.get(), &rows, nullptr, nullptr, nullptr) != nullptr && rows > 0;
        if (!has_rows) throw decode_error(name, "WebP", webp_reason(status));
        warn(warning, name, webp_reason(status));
    }
    if (options.exif_orientation) image = apply_orientation(std::move(image), webp_orientation(bytes));
    return image;
}

#endif

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::detail
