#pragma once
// IWYU pragma: private, include <tenon/image.hpp>

// The EXIF orientation tag: how the camera was held, and turning the image accordingly.

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <utility>

#include <tenon/core/error.hpp>
#include <tenon/core/isa.hpp>
#include <tenon/image/image.hpp>

namespace tenon::detail {
inline namespace TENON_ISA_NAMESPACE {

/// The orientation that EXIF data (a TIFF structure, from its byte-order mark on) states: 1 to 8; 1, upright, when it
/// states none or is damaged.
inline int exif_orientation(std::span<const std::byte> tiff) {
    constexpr int upright = 1;
    constexpr unsigned orientation_tag = 0x0112;
    constexpr unsigned type_short = 3;
    if (tiff.size() < 8) return upright;
    const bool little_endian = tiff[0] == std::byte{'I'} && tiff[1] == std::byte{'I'};
    const bool big_endian = tiff[0] == std::byte{'M'} && tiff[1] == std::byte{'M'};
    if (!little_endian && !big_endian) return upright;

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
    if (number(2, 2) != 42 || directory > tiff.size() - 2) return upright;
    const std::size_t entries = number(directory, 2);
    for (std::size_t i = 0; i < entries; ++i) {
        const std::size_t entry = directory + 2 + 12 * i;
        if (entry + 12 > tiff.size()) return upright;
        if (number(entry, 2) != orientation_tag || number(entry + 2, 2) != type_short) continue;
        const std::uint32_t orientation = number(entry + 8, 2);
        return orientation >= 1 && orientation <= 8 ? static_cast<int>(orientation) : upright;
    }
    return upright;
}

/// The image rotated and mirrored so that a photo with this EXIF orientation is upright. Equals PIL's
/// ImageOps.exif_transpose. Throws tenon::Error unless 1 <= orientation <= 8.
inline Image apply_orientation(Image image, int orientation) {
    if (orientation < 1 || orientation > 8) {
        throw Error("expected an EXIF orientation from 1 to 8, found " + std::to_string(orientation));
    }
    if (orientation == 1 || image.empty()) return image;

    // The target's pixel (y, x) is the source's (y, x), with axes exchanged for 5 to 8, then each axis perhaps
    // reversed.
    const bool exchanged = orientation >= 5;
    const bool rows_reversed = orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7;
    const bool columns_reversed = orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8;
    const int height = image.height();
    const int width = image.width();
    const auto channels = static_cast<std::size_t>(image.channels());
    Image turned(exchanged ? width : height, exchanged ? height : width, image.channels());
    std::uint8_t* target = turned.pixels().data();
    for (int y = 0; y < turned.height(); ++y) {
        for (int x = 0; x < turned.width(); ++x) {
            int row = exchanged ? x : y;
            int column = exchanged ? y : x;
            if (rows_reversed) row = height - 1 - row;
            if (columns_reversed) column = width - 1 - column;
            std::memcpy(target, image.row(row).data() + static_cast<std::size_t>(column) * channels, channels);
            target += channels;
        }
    }
    return turned;
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::detail
