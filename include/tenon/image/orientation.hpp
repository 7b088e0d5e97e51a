#pragma once
// IWYU pragma: private, include <tenon/image.hpp>

// The orientation in EXIF and XMP data: how the camera was held, and turning the image accordingly.

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include <tenon/core/cold.hpp>
#include <tenon/core/error.hpp>
#include <tenon/core/index.hpp>
#include <tenon/core/isa.hpp>
#include <tenon/core/sentence.hpp>
#include <tenon/image/image.hpp>

namespace tenon::detail {
inline namespace TENON_ISA_NAMESPACE {

/// The value of the orientation tag in EXIF data (a TIFF structure, from its byte-order mark on), which should be from
/// 1 to 8; nothing when there is none or the data is damaged. The standard says SHORT; some programs write BYTE or
/// LONG.
template <class Once = void>
TENON_RUNS_ONCE std::optional<std::uint32_t> exif_orientation(std::span<const std::byte> tiff) {
    constexpr unsigned orientation_tag = 0x0112;
    if (tiff.size() < 8) return {};
    const bool little_endian = tiff[0] == std::byte{'I'} && tiff[1] == std::byte{'I'};
    const bool big_endian = tiff[0] == std::byte{'M'} && tiff[1] == std::byte{'M'};
    if (!little_endian && !big_endian) return {};

    // Reads an unsigned number of `size` bytes; the caller has checked that it is inside.
    const auto number = [&](std::size_t offset, std::size_t size) {
        std::uint32_t value = 0;
        for (std::size_t i = 0; i < size; ++i) {
            const std::size_t from = little_endian ? offset + size - 1 - i : offset + i;
            value = value << 8 | std::to_integer<std::uint32_t>(tiff[from]);
        }
        return value;
    };

    const std::size_t directory = number(4, 4);
    if (number(2, 2) != 42 || directory > tiff.size() - 2) return {};
    const std::size_t entries = number(directory, 2);
    for (std::size_t i = 0; i < entries; ++i) {
        const std::size_t entry = directory + 2 + 12 * i;
        if (entry + 12 > tiff.size()) return {};
        if (number(entry, 2) != orientation_tag) continue;
        switch (number(entry + 2, 2)) {
            case 1:
                return number(entry + 8, 1);
            case 3:
                return number(entry + 8, 2);
            case 4:
                return number(entry + 8, 4);
            default:
                return {};
        }
    }
    return {};
}

/// The value of `tiff:Orientation` in XMP data, written as an attribute or an element; nothing when there is none.
template <class Once = void>
TENON_RUNS_ONCE std::optional<std::uint32_t> xmp_orientation(std::span<const std::byte> xmp) {
    std::string_view text(reinterpret_cast<const char*>(xmp.data()), xmp.size());
    constexpr std::string_view name = "tiff:Orientation";
    for (std::size_t at = text.find(name); at != std::string_view::npos; at = text.find(name)) {
        text.remove_prefix(at + name.size());
        const std::size_t skipped = text.starts_with("=\"") ? 2 : text.starts_with('>') ? 1 : text.size();
        if (skipped < text.size() && text[skipped] >= '0' && text[skipped] <= '9')
            return static_cast<std::uint32_t>(text[skipped] - '0');
    }
    return {};
}

/// The orientation, 1 to 8, that a file states: in its EXIF data, or if they have no such tag in its XMP data; 1,
/// upright, when it states none or one that doesn't exist. The same order as in PIL's ImageOps.exif_transpose.
template <class Once = void>
int stated_orientation(std::span<const std::byte> exif, std::span<const std::byte> xmp) {
    const std::optional<std::uint32_t> tag = exif_orientation(exif);
    const std::uint32_t orientation = tag ? *tag : xmp_orientation(xmp).value_or(1);
    return orientation >= 1 && orientation <= 8 ? static_cast<int>(orientation) : 1;
}

/// The image rotated and mirrored so that a photo with this EXIF orientation is upright. Equals PIL's
/// ImageOps.exif_transpose. Throws tenon::Error unless 1 <= orientation <= 8.
template <class Once = void>
Image apply_orientation(Image image, int orientation) {
    if (orientation < 1 || orientation > 8)
        detail::throw_error({"expected an EXIF orientation from 1 to 8, found ", orientation});
    if (orientation == 1 || image.empty()) return image;

    // The target's pixel (y, x) is the source's (y, x), with axes exchanged for 5 to 8, then each axis perhaps
    // reversed.
    const bool exchanged = orientation >= 5;
    const bool rows_reversed = orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7;
    const bool columns_reversed = orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8;
    const int height = image.height();
    const int width = image.width();
    const auto channels = index(image.channels());
    Image turned(exchanged ? width : height, exchanged ? height : width, image.channels());
    std::uint8_t* target = turned.pixels().data();
    for (int y = 0; y < turned.height(); ++y) {
        for (int x = 0; x < turned.width(); ++x) {
            int row = exchanged ? x : y;
            int column = exchanged ? y : x;
            if (rows_reversed) row = height - 1 - row;
            if (columns_reversed) column = width - 1 - column;
            std::memcpy(target, image.row(row).data() + index(column) * channels, channels);
            target += channels;
        }
    }
    return turned;
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::detail
