// Whatever the bytes of an array's file are inside of a sound archive, .npz is either refused by tenon::Error with a
// printable sentence, or gives an array whose shape and bytes agree; a copy in column-major order holds the same bytes
// in another order. A fuzzer of whole archives seldom gets past their directories.
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include <tenon/io/tensor_file.hpp>

#include "fuzzing.hpp"

namespace {

using fuzzing::is_printable;
using fuzzing::require;

std::string little_endian(std::size_t value, int size) {
    std::string text;
    for (int i = 0; i < size; ++i) text += static_cast<char>(value >> (8 * i) & 255);
    return text;
}

/// An archive with one entry, stored as it is.
std::string archive_of(std::string_view name, std::string_view content) {
    const std::string sizes = std::string(4, '\0') + little_endian(content.size(), 4) +
                              little_endian(content.size(), 4) + little_endian(name.size(), 2) + std::string(2, '\0');
    const std::string middle = little_endian(0, 8) + sizes;  // flags, method, time and date are 0
    const std::string local = "PK\3\4" + little_endian(20, 2) + middle + std::string(name) + std::string(content);
    const std::string entry =
        "PK\1\2" + little_endian(20, 2) + little_endian(20, 2) + middle + std::string(14, '\0') + std::string(name);
    return local + entry + "PK\5\6" + std::string(4, '\0') + little_endian(1, 2) + little_endian(1, 2) +
           little_endian(entry.size(), 4) + little_endian(local.size(), 4) + std::string(2, '\0');
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view content(reinterpret_cast<const char*>(data), size);
    const std::string archive = archive_of("array.npy", content);
    try {
        const tenon::TensorFile file{std::as_bytes(std::span(archive)), "input"};
        require(file.tensors().size() == 1 && file.tensors()[0].name == "array", "there is one array");
        const tenon::TensorEntry& entry = file.tensors()[0];
        const auto count = tenon::detail::element_count(entry.shape);
        require(count.has_value(), "an accepted shape has a size");
        require(
            static_cast<std::uint64_t>(*count) * static_cast<std::uint64_t>(tenon::detail::dtype_bits(entry.dtype)) ==
                entry.bytes.size() * 8,
            "an array has as many bytes as its shape demands");
        std::array<long, 256> found{}, expected{};
        for (const std::byte byte : entry.bytes) ++found[std::to_integer<std::size_t>(byte)];
        for (const char byte : content.substr(size - entry.bytes.size())) ++expected[static_cast<unsigned char>(byte)];
        require(found == expected, "its bytes are those of the file");
    } catch (const tenon::Error& error) {
        // The archive itself is sound.
        require(is_printable(error.what()), "an error is a printable sentence");
        require(std::string_view(error.what()).find("array.npy") != std::string_view::npos, "it names the array");
    }
    return 0;
}
