#pragma once
// IWYU pragma: private, include <tenon/image.hpp>

// Decoding PNG with libpng.

#include <algorithm>
#include <csetjmp>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <png.h>

#include <tenon/core/cold.hpp>
#include <tenon/core/error.hpp>
#include <tenon/core/index.hpp>
#include <tenon/core/isa.hpp>
#include <tenon/core/span_of.hpp>
#include <tenon/image/codecs/decode_options.hpp>
#include <tenon/image/image.hpp>
#include <tenon/image/orientation.hpp>

namespace tenon {

namespace detail {
inline namespace TENON_ISA_NAMESPACE {

/// One run of libpng over bytes in memory. Errors are jumps, under the same rules as in JpegSession.
class PngSession {
public:
    PngSession(std::span<const std::byte> bytes, bool accept_damaged) : bytes_(bytes), accept_damaged_(accept_damaged) {
        png_ = png_create_read_struct(PNG_LIBPNG_VER_STRING, this, &on_error, &on_warning);
        if (png_ != nullptr) info_ = png_create_info_struct(png_);
        if (info_ == nullptr) std::snprintf(message_, sizeof message_, "libpng has no memory");
    }
    PngSession(const PngSession&) = delete;
    PngSession& operator=(const PngSession&) = delete;
    ~PngSession() { png_destroy_read_struct(&png_, &info_, nullptr); }

    /// Reads everything before the pixels. Returns false on failure; message() then says why.
    bool read_header() {
        return info_ != nullptr && attempt([](PngSession& session) {
                   png_structp png = session.png_;
                   png_set_read_fn(png, &session, &on_read);
                   // Color profiles, texts and the like can be decompression bombs themselves; pixels don't depend on
                   // them.
                   png_set_keep_unknown_chunks(png, PNG_HANDLE_CHUNK_NEVER, nullptr, -1);
                   if (session.accept_damaged_) {
                       png_set_crc_action(png, PNG_CRC_WARN_USE, PNG_CRC_QUIET_USE);
                       // The unit in which pixels are read: an incomplete one is lost.
                       constexpr std::size_t bytes_at_once = 16;
                       png_set_compression_buffer_size(png, bytes_at_once);
                   }
                   png_set_user_limits(png, PNG_UINT_31_MAX, PNG_UINT_31_MAX);
                   png_read_info(png, session.info_);
               });
    }

    /// Decodes into rows of 8-bit samples: gray, RGB, or the palette indices of a palette file. Alpha is dropped and
    /// 16-bit samples lose their low byte, as in PIL. Returns false on failure; message() then says why. When all
    /// pixels were decoded but the file has no end, or damage is accepted and there is some, warning() says what.
    bool read_pixels(std::span<png_bytep> rows, std::size_t row_size) {
        rows_ = rows;
        row_size_ = row_size;
        const bool done = attempt([](PngSession& session) {
            png_structp png = session.png_;
            png_set_strip_16(png);
            png_set_strip_alpha(png);
            if (session.has_palette()) {
                png_set_packing(png);
            } else {
                png_set_expand_gray_1_2_4_to_8(png);
            }
            png_set_interlace_handling(png);
            png_read_update_info(png, session.info_);
            if (png_get_rowbytes(png, session.info_) != session.row_size_) png_error(png, "its rows have a wrong size");
            png_read_image(png, session.rows_.data());
            session.has_pixels_ = true;
            png_read_end(png, nullptr);
        });
        if (done) return true;
        if (has_pixels_ && has_ended_) {
            std::snprintf(warning_, sizeof warning_, "all pixels are there, but the PNG's end is not");
            return true;
        }
        std::snprintf(warning_, sizeof warning_, "%s", message_);
        return accept_damaged_;
    }

    std::int64_t height() const { return png_get_image_height(png_, info_); }
    std::int64_t width() const { return png_get_image_width(png_, info_); }
    bool has_palette() const { return png_get_color_type(png_, info_) == PNG_COLOR_TYPE_PALETTE; }
    bool has_color() const { return (png_get_color_type(png_, info_) & PNG_COLOR_MASK_COLOR) != 0; }
    std::string_view message() const { return message_; }
    std::string_view warning() const { return warning_; }

    std::span<const png_color> palette() const {
        png_colorp colors = nullptr;
        int count = 0;
        png_get_PLTE(png_, info_, &colors, &count);
        return {colors, detail::index(count)};
    }

private:
    bool attempt(void (*action)(PngSession&)) {
        if (setjmp(png_jmpbuf(png_)) != 0) return false;
        action(*this);
        return true;
    }

    [[noreturn]] static void on_error(png_structp png, png_const_charp why) {
        PngSession& session = *static_cast<PngSession*>(png_get_error_ptr(png));
        std::snprintf(session.message_, sizeof session.message_, "%s", why);
        png_longjmp(png, 1);
    }

    /// With accept_damaged, a wrong checksum of pixels is a warning; others are about what pixels don't depend on.
    static void on_warning(png_structp png, png_const_charp what) {
        PngSession& session = *static_cast<PngSession*>(png_get_error_ptr(png));
        if (session.accept_damaged_ && std::strstr(what, "CRC") != nullptr)
            std::snprintf(session.warning_, sizeof session.warning_, "%s", what);
    }

    static void on_read(png_structp png, png_bytep target, std::size_t size) {
        PngSession& session = *static_cast<PngSession*>(png_get_io_ptr(png));
        if (size > session.bytes_.size()) {
            session.has_ended_ = true;
            png_error(png, "the file ends before the image is complete");
        }
        std::memcpy(target, session.bytes_.data(), size);
        session.bytes_ = session.bytes_.subspan(size);
    }

    std::span<const std::byte> bytes_;
    png_structp png_ = nullptr;
    png_infop info_ = nullptr;
    char message_[256]{}, warning_[256]{};
    bool accept_damaged_, has_ended_ = false, has_pixels_ = false;
    std::span<png_bytep> rows_;
    std::size_t row_size_ = 0;
};

/// The content of the first chunk of a kind in a PNG file that begins with `prefix`, without it; empty when there is
/// none. `eXIf` has EXIF data, `iTXt` with the prefix below XMP data.
template <class Once = void>
TENON_RUNS_ONCE std::span<const std::byte> png_chunk(std::span<const std::byte> bytes, std::string_view kind,
                                                     std::string_view prefix = {}) {
    constexpr std::size_t signature_size = 8;
    constexpr std::size_t chunk_overhead = 12;  // length, type and checksum
    bytes = bytes.subspan(std::min(signature_size, bytes.size()));
    while (bytes.size() >= chunk_overhead) {
        std::size_t length = 0;
        for (std::size_t i = 0; i < 4; ++i) length = length << 8 | std::to_integer<std::size_t>(bytes[i]);
        if (length > bytes.size() - chunk_overhead) break;
        const std::string_view chunk(reinterpret_cast<const char*>(bytes.data()) + 4, 4 + length);
        if (chunk.starts_with(kind) && chunk.substr(4).starts_with(prefix))
            return bytes.subspan(8 + prefix.size(), length - prefix.size());
        bytes = bytes.subspan(length + chunk_overhead);
    }
    return {};
}

/// The orientation that a PNG file states. Compressed XMP data, which the XMP standard doesn't allow, are not read.
template <class Once = void>
int png_orientation(std::span<const std::byte> bytes) {
    constexpr std::string_view uncompressed_xmp{"XML:com.adobe.xmp\0\0\0", 20};
    return stated_orientation(png_chunk(bytes, "eXIf"), png_chunk(bytes, "iTXt", uncompressed_xmp));
}

/// Throws tenon::Error when an index is beyond the palette.
template <class Once = void>
Image rgb_from_palette(const Image& indices, std::span<const png_color> palette, std::string_view name) {
    Image rgb(indices.height(), indices.width(), 3);
    std::uint8_t* target = rgb.pixels().data();
    for (const std::uint8_t index : indices.pixels()) {
        if (index >= palette.size())
            throw decode_error(name, "PNG",
                               "expected palette indices below " + std::to_string(palette.size()) + ", found " +
                                   std::to_string(index));
        const png_color color = palette[index];
        *target++ = color.red;
        *target++ = color.green;
        *target++ = color.blue;
    }
    return rgb;
}

/// Decodes a PNG file; see decode_image.
template <class Once = void>
TENON_RUNS_ONCE Image decode_png(std::span<const std::byte> bytes, std::string_view name, const DecodeOptions& options,
                                 std::string* warning = nullptr) {
    PngSession session(bytes, options.accept_damaged);
    if (!session.read_header()) throw decode_error(name, "PNG", session.message());
    check_pixel_count(session.height(), session.width(), options, name, "PNG");

    const bool has_palette = session.has_palette();
    Image image(static_cast<int>(session.height()), static_cast<int>(session.width()),
                session.has_color() && !has_palette ? 3 : 1);
    std::vector<png_bytep> rows(detail::index(image.height()));
    for (int y = 0; y < image.height(); ++y) rows[detail::index(y)] = image.row(y).data();
    if (!session.read_pixels(detail::span_of(rows), image.row_size()))
        throw decode_error(name, "PNG", session.message());
    if (!session.warning().empty()) warn(warning, name, session.warning());

    if (has_palette) image = rgb_from_palette(image, session.palette(), name);
    if (options.exif_orientation) image = apply_orientation(std::move(image), png_orientation(bytes));
    return image;
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace detail

}  // namespace tenon
