#pragma once
// IWYU pragma: private, include <tenon/image.hpp>

// IDX, the format of MNIST and Fashion-MNIST: two zero bytes, a type, the number of dimensions, their sizes
// (big-endian, 32 bits) and then the values, the last dimension fastest.

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tenon/core/error.hpp>
#include <tenon/core/isa.hpp>
#include <tenon/data/datasets/image_dataset.hpp>
#include <tenon/io/read_file.hpp>

namespace tenon::detail {
inline namespace TENON_ISA_NAMESPACE {

/// An array of unsigned bytes in row-major order and its sizes: {60000, 28, 28} for images, {60000} for labels.
struct IdxArray {
    std::vector<std::size_t> sizes;
    std::vector<std::uint8_t> values;
};

/// The sizes as text: `60000 x 28 x 28`.
template <class Once = void>
std::string sizes_text(std::span<const std::size_t> sizes) {
    std::string text;
    for (const std::size_t size : sizes) {
        if (!text.empty()) text += " x ";
        text += std::to_string(size);
    }
    return text;
}

/// The array in an IDX file in memory. Throws tenon::Error, beginning with `name`, unless it is exactly one well-formed
/// array of unsigned bytes.
template <class Once = void>
IdxArray parse_idx(std::span<const std::byte> bytes, std::string_view name) {
    const auto fail = [&](const std::string& what) { throw Error(std::string(name) + ": " + what); };
    const auto byte_at = [&](std::size_t i) { return std::to_integer<unsigned>(bytes[i]); };
    constexpr std::size_t magic_bytes = 4;
    constexpr unsigned unsigned_byte = 0x08;

    if (bytes.size() >= 2 && byte_at(0) == 0x1F && byte_at(1) == 0x8B)
        fail("expected an IDX file, found one that is compressed with gzip (tenon/data/archives/gzip.hpp reads it)");
    if (bytes.size() < magic_bytes)
        fail("expected an IDX file, at least 4 bytes, found " + std::to_string(bytes.size()));
    if (byte_at(0) != 0 || byte_at(1) != 0) fail("expected an IDX file, which begins with two zero bytes");
    if (byte_at(2) != unsigned_byte)
        fail("expected an IDX file of unsigned bytes (type 8), found type " + std::to_string(byte_at(2)));
    const std::size_t dimensions = byte_at(3);
    if (dimensions == 0) fail("expected an IDX file of at least one dimension, found none");
    const std::size_t header_bytes = magic_bytes + 4 * dimensions;
    if (bytes.size() < header_bytes)
        fail("expected a header of " + std::to_string(header_bytes) + " bytes, found a file of " +
             std::to_string(bytes.size()));

    IdxArray array;
    std::size_t count = 1;
    for (std::size_t i = 0; i < dimensions; ++i) {
        std::size_t size = 0;
        for (std::size_t j = 0; j < 4; ++j) size = size << 8 | byte_at(magic_bytes + 4 * i + j);
        if (size != 0 && count > std::numeric_limits<std::size_t>::max() / size)
            fail("its " + std::to_string(dimensions) + " dimensions hold more values than can be addressed");
        count *= size;
        array.sizes.push_back(size);
    }
    const std::span<const std::byte> values = bytes.subspan(header_bytes);
    if (values.size() != count)
        fail("expected " + std::to_string(count) + " bytes of values, " + sizes_text(array.sizes) + ", found " +
             std::to_string(values.size()));
    const auto* const first = reinterpret_cast<const std::uint8_t*>(values.data());
    array.values.assign(first, first + count);
    return array;
}

/// The array of unsigned bytes in an IDX file. Throws tenon::Error, naming the file, when it can't be read, is of
/// another format or is damaged.
template <class Once = void>
IdxArray read_idx(const std::filesystem::path& path) {
    return parse_idx(read_file(path, std::numeric_limits<std::size_t>::max() / 4), path.string());
}

/// Gray images (count x height x width) with their labels (count). Throws tenon::Error, beginning with the name of the
/// file at fault, when the two arrays have other dimensions or counts that differ.
template <class Once = void>
ImageDataset make_image_dataset(IdxArray images, std::string_view images_name, const IdxArray& labels,
                                std::string_view labels_name) {
    constexpr std::size_t max_side = 65535;
    const auto wrong_side = [](std::size_t side) { return side == 0 || side > max_side; };
    if (images.sizes.size() != 3 || wrong_side(images.sizes[1]) || wrong_side(images.sizes[2]))
        throw Error(std::string(images_name) + ": expected images, count x height x width, found " +
                    sizes_text(images.sizes));
    if (labels.sizes.size() != 1)
        throw Error(std::string(labels_name) + ": expected labels, one dimension, found " + sizes_text(labels.sizes));
    if (labels.sizes[0] != images.sizes[0])
        throw Error(std::string(labels_name) + ": expected a label for each of the " + std::to_string(images.sizes[0]) +
                    " images of " + std::string(images_name) + ", found " + std::to_string(labels.sizes[0]));
    return {.shape = {1, static_cast<int>(images.sizes[1]), static_cast<int>(images.sizes[2])},
            .images = std::move(images.values),
            .labels = {labels.values.begin(), labels.values.end()}};
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::detail
