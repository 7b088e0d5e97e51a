#pragma once
// IWYU pragma: private, include <tenon/image.hpp>

// Encoding PNG with libpng.

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include <png.h>

#include <tenon/core/error.hpp>
#include <tenon/core/isa.hpp>
#include <tenon/core/sentence.hpp>
#include <tenon/core/span_of.hpp>
#include <tenon/image/image.hpp>
#include <tenon/io/atomic_file.hpp>

namespace tenon::detail {
inline namespace TENON_ISA_NAMESPACE {

/// The bytes of a PNG file of an image, without loss. Throws tenon::Error for an image without pixels, and when there
/// is no memory.
template <class Once = void>
std::vector<std::byte> encode_png(const Image& image) {
    if (image.empty()) throw Error("expected an image to write as PNG, found one without pixels");
    png_image header{};
    header.version = PNG_IMAGE_VERSION;
    header.width = static_cast<png_uint_32>(image.width());
    header.height = static_cast<png_uint_32>(image.height());
    header.format = image.channels() == 1 ? PNG_FORMAT_GRAY : PNG_FORMAT_RGB;
    // Its upper bound is above the size of every result, so one call is enough.
    png_alloc_size_t size = PNG_IMAGE_PNG_SIZE_MAX(header);
    std::vector<std::byte> bytes(size);
    if (png_image_write_to_memory(&header, bytes.data(), &size, 0, image.pixels().data(), 0, nullptr) == 0)
        detail::throw_error({"cannot write an image as PNG: ", header.message});
    bytes.resize(size);
    return bytes;
}

/// Writes an image as a PNG file, completely or not at all. Throws tenon::Error as encode_png, and, naming the file,
/// when it can't be written.
template <class Once = void>
void write_png(const std::string& path, const Image& image) {
    const std::vector<std::byte> bytes = encode_png(image);
    const std::span<const std::byte> parts[] = {detail::span_of(bytes)};
    write_file_atomically(path, parts);
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::detail

namespace tenon::programs {

/// The bytes of a PNG file of an image, without loss. Throws tenon::Error for an image without pixels.
using detail::encode_png;
/// Writes an image as a PNG file, completely or not at all. Throws tenon::Error, naming the file.
using detail::write_png;

}  // namespace tenon::programs
