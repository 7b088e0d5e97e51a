// Whatever the bytes are, decoding either throws tenon::Error with a printable sentence, or gives an image of the size
// and channels that were asked for, which preprocessing turns into finite floats.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <vector>

#include <zlib.h>

#include <tenon/image/codecs/decode.hpp>
#include <tenon/image/preprocess.hpp>

#include "fuzzing.hpp"

namespace {

using fuzzing::require;

/// ASCII without control characters: these errors quote nothing of a file.
bool is_plain(std::string_view text) {
    return std::ranges::none_of(text, [](unsigned char c) { return c < 0x20 || c >= 0x7F; });
}

void check(std::span<const std::byte> bytes, const tenon::DecodeOptions& options) {
    try {
        const tenon::Image image = tenon::decode_image(bytes, "input", options);
        require(image.height() > 0 && image.width() > 0, "an image has pixels");
        require(image.channels() == (options.color == tenon::Color::rgb ? 3 : 1), "it has the channels asked for");
        require(std::int64_t{image.height()} * image.width() <= options.max_pixels, "it is not larger than allowed");
        const std::vector<float> input = preprocess(image, {.resize = 8, .crop_height = 8, .crop_width = 6});
        require(std::ranges::all_of(input, [](float value) { return std::isfinite(value); }), "floats are finite");
    } catch (const tenon::Error& error) {
        require(is_plain(error.what()), "the error is plain text");
    }
}

std::uint32_t big_endian(const unsigned char* bytes) {
    return std::uint32_t{bytes[0]} << 24 | std::uint32_t{bytes[1]} << 16 | std::uint32_t{bytes[2]} << 8 | bytes[3];
}

/// Makes the checksums of a PNG file's chunks right.
void mend_checksums(std::span<unsigned char> file) {
    std::size_t at = 8;
    while (at + 12 <= file.size()) {
        const std::size_t length = big_endian(file.data() + at);
        if (length > file.size() - at - 12) return;
        const auto sum = static_cast<std::uint32_t>(crc32(0, file.data() + at + 4, static_cast<unsigned>(length + 4)));
        for (std::size_t i = 0; i < 4; ++i) file[at + 8 + length + i] = static_cast<unsigned char>(sum >> (24 - 8 * i));
        at += 12 + length;
    }
}

}  // namespace

extern "C" std::size_t LLVMFuzzerMutate(unsigned char* data, std::size_t size, std::size_t max_size);

/// Mutates, and mostly mends the checksums of PNG files: hardly any would be decoded otherwise.
extern "C" std::size_t LLVMFuzzerCustomMutator(unsigned char* data, std::size_t size, std::size_t max_size,
                                               unsigned seed) {
    size = LLVMFuzzerMutate(data, size, max_size);
    if (seed % 8 != 0 && size >= 8 && std::memcmp(data, "\x89PNG\r\n\x1A\n", 8) == 0) mend_checksums({data, size});
    return size;
}

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
    const std::span<const std::byte> bytes = std::as_bytes(std::span(data, size));
    constexpr std::int64_t max_pixels = 1 << 16;
    check(bytes, {.max_pixels = max_pixels});
    check(bytes,
          {.color = tenon::Color::gray, .exif_orientation = true, .accept_damaged = true, .max_pixels = max_pixels});
    return 0;
}
