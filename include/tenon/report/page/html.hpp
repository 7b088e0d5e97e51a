#pragma once
// IWYU pragma: private, include <tenon/report.hpp>

// Parts of a page that needs no other file: texts escaped, images within the text.

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <tenon/core/index.hpp>
#include <tenon/image/image.hpp>
#include <tenon/io/utf8_text.hpp>

namespace tenon::detail {
inline namespace TENON_ISA_NAMESPACE {

/// A text within HTML, in elements and in attributes: in UTF-8, without control characters but line feeds.
template <class Once = void>
std::string html_text(std::string_view text) {
    std::string result;
    for (const char c : to_utf8(text)) {
        switch (c) {
            case '&':
                result += "&amp;";
                break;
            case '<':
                result += "&lt;";
                break;
            case '>':
                result += "&gt;";
                break;
            case '"':
                result += "&quot;";
                break;
            case '\'':
                result += "&#39;";
                break;
            default:
                if (static_cast<unsigned char>(c) >= ' ' || c == '\n') result += c;
        }
    }
    return result;
}

/// Three bytes as four letters (RFC 4648): `tenon` -> `dGVub24=`.
template <class Once = void>
std::string to_base64(std::string_view bytes) {
    constexpr std::string_view letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    std::string text;
    for (std::size_t i = 0; i < bytes.size(); i += 3) {
        std::uint32_t group = 0;
        for (std::size_t j = 0; j < 3; ++j)
            group = group << 8 | (i + j < bytes.size() ? static_cast<unsigned char>(bytes[i + j]) : 0U);
        for (std::size_t j = 0; j < 4; ++j) text += i + j > bytes.size() ? '=' : letters[group >> (18 - 6 * j) & 63];
    }
    return text;
}

/// The bytes of a PNG file (RFC 2083) whose pixels are stored, not compressed: for images of a few kilobytes.
template <class Once = void>
std::string stored_png(const Image& image) {
    const auto big_endian = [](std::uint32_t value) {
        std::string bytes;
        for (const int shift : {24, 16, 8, 0}) bytes += static_cast<char>(value >> shift & 255);
        return bytes;
    };
    const auto chunk = [&](std::string_view type, std::string_view content) {
        const std::string body = std::string(type).append(content);
        std::uint32_t crc = ~std::uint32_t{0};
        for (const char c : body) {
            crc ^= static_cast<unsigned char>(c);
            for (int bit = 0; bit < 8; ++bit) crc = crc >> 1 ^ (crc & 1 ? 0xEDB88320U : 0U);
        }
        return big_endian(static_cast<std::uint32_t>(content.size())) + body + big_endian(~crc);
    };
    std::string rows;
    for (int y = 0; y < image.height(); ++y) {
        rows += '\0';  // no filter
        for (const std::uint8_t sample : image.row(y)) rows += static_cast<char>(sample);
    }
    std::string packed = "\x78\x01";
    std::uint32_t a = 1, b = 0;  // Adler-32
    for (const char c : rows) {
        a = (a + static_cast<unsigned char>(c)) % 65521;
        b = (b + a) % 65521;
    }
    constexpr std::size_t most = 65535;
    for (std::size_t first = 0; first < rows.size(); first += most) {
        const std::size_t size = rows.size() - first < most ? rows.size() - first : most;
        packed += first + size == rows.size() ? '\1' : '\0';
        for (const std::size_t value : {size, ~size})
            for (const unsigned shift : {0U, 8U}) packed += static_cast<char>(value >> shift & 255);
        packed += rows.substr(first, size);
    }
    packed += big_endian(b << 16 | a);
    std::string header =
        big_endian(static_cast<std::uint32_t>(image.width())) + big_endian(static_cast<std::uint32_t>(image.height()));
    header += {'\x08', image.channels() == 1 ? '\0' : '\x02', '\0', '\0', '\0'};
    return "\x89PNG\r\n\x1a\n" + chunk("IHDR", header) + chunk("IDAT", packed) + chunk("IEND", "");
}

/// The address of an image that is in the address itself.
template <class Once = void>
std::string image_address(const Image& image) {
    std::string address = "data:image/png;base64,";
    return address += to_base64(stored_png(image));
}

/// An image whose longer side is at most `side` pixels: each pixel the mean of the pixels that it covers, in whole
/// blocks.
template <class Once = void>
Image shrunk(const Image& image, int side) {
    const int longer = image.height() > image.width() ? image.height() : image.width();
    const int block = (longer + side - 1) / side;
    if (block <= 1) return image;
    Image small(image.height() / block > 0 ? image.height() / block : 1,
                image.width() / block > 0 ? image.width() / block : 1, image.channels());
    const auto channels = index(image.channels());
    for (int y = 0; y < small.height(); ++y)
        for (std::size_t x = 0; x < small.row_size(); ++x) {
            int sum = 0, count = 0;
            for (int dy = 0; dy < block; ++dy)
                for (int dx = 0; dx < block; ++dx) {
                    const int from_y = y * block + dy;
                    const int from_x = static_cast<int>(x / channels) * block + dx;
                    if (from_y >= image.height() || from_x >= image.width()) continue;
                    sum += image.row(from_y)[index(from_x) * channels + x % channels];
                    ++count;
                }
            small.row(y)[x] = static_cast<std::uint8_t>((sum + count / 2) / count);
        }
    return small;
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::detail
