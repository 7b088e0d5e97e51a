#pragma once
// IWYU pragma: private, include <tenon/image.hpp>

// Files compressed with gzip, as data sets often are. Part of the component tenon::image (zlib).

#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <zlib.h>

#include <tenon/core/error.hpp>
#include <tenon/core/isa.hpp>
#include <tenon/io/read_file.hpp>

namespace tenon::detail {
inline namespace TENON_ISA_NAMESPACE {

/// Whether the bytes begin like a gzip file.
inline bool is_gzip(std::span<const std::byte> bytes) {
    return bytes.size() >= 2 && bytes[0] == std::byte{0x1F} && bytes[1] == std::byte{0x8B};
}

/// The content of a gzip file; several members one after another are joined. Throws tenon::Error, beginning with
/// `name`, when it is damaged (the checksum is checked), truncated, followed by something else, or holds more than
/// `max_bytes`.
template <class Once = void>
std::vector<std::byte> gunzip(std::span<const std::byte> bytes, std::string_view name, std::size_t max_bytes) {
    const auto fail = [&](const std::string& what) { throw Error(std::string(name) + ": " + what); };
    if (!is_gzip(bytes)) fail("expected a file compressed with gzip");

    // Releases zlib's state on every return and throw.
    struct Inflater {
        z_stream stream{};
        bool ready = false;
        Inflater() {
            constexpr int max_window = 15;
            constexpr int gzip_only = 16;
            ready = inflateInit2(&stream, max_window + gzip_only) == Z_OK;
        }
        Inflater(const Inflater&) = delete;
        Inflater& operator=(const Inflater&) = delete;
        ~Inflater() { inflateEnd(&stream); }
    } inflater;
    z_stream& stream = inflater.stream;
    if (!inflater.ready) fail("cannot decompress it: zlib has no memory");

    // zlib counts in 32 bits, so input and output are passed in pieces.
    constexpr std::size_t piece = 1 << 20;
    std::vector<std::byte> buffer(piece);
    std::vector<std::byte> content;
    while (true) {
        if (stream.avail_in == 0) {
            const std::size_t size = std::min(piece, bytes.size());
            stream.next_in = reinterpret_cast<Bytef*>(const_cast<std::byte*>(bytes.data()));
            stream.avail_in = static_cast<uInt>(size);
            bytes = bytes.subspan(size);
        }
        stream.next_out = reinterpret_cast<Bytef*>(buffer.data());
        stream.avail_out = static_cast<uInt>(piece);
        const int status = inflate(&stream, Z_NO_FLUSH);
        content.insert(content.end(), buffer.data(), buffer.data() + (piece - stream.avail_out));
        if (content.size() > max_bytes)
            fail("expected at most " + std::to_string(max_bytes) + " bytes of content, found more");
        if (status == Z_STREAM_END) {
            if (stream.avail_in == 0 && bytes.empty()) return content;
            if (inflateReset(&stream) != Z_OK) fail("cannot decompress it");
        } else if (status == Z_BUF_ERROR && stream.avail_in == 0 && bytes.empty()) {
            fail("cannot decompress it: the file ends early, after " + std::to_string(content.size()) +
                 " bytes of content");
        } else if (status != Z_OK && status != Z_BUF_ERROR) {
            fail(std::string("cannot decompress it: ") + (stream.msg != nullptr ? stream.msg : "zlib fails"));
        }
    }
}

/// All bytes of a file, decompressed if it is a gzip file. Throws tenon::Error when that fails or gives more than
/// `max_bytes`.
template <class Once = void>
std::vector<std::byte> read_file_or_gzip(const std::filesystem::path& path, std::size_t max_bytes) {
    std::vector<std::byte> bytes = read_file(path, max_bytes);
    return is_gzip(bytes) ? gunzip(bytes, path.string(), max_bytes) : bytes;
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::detail
