#pragma once
// IWYU pragma: private, include <tenon/inference.hpp>

// Reads the WeightsInfo (io/weights_info.hpp) of safetensors and ONNX files.
//
//     for (const std::string& name : read_weights_info("flowers.safetensors").classes) std::puts(name.c_str());

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include <tenon/core/compile_once.hpp>
#include <tenon/core/error.hpp>
#include <tenon/core/index.hpp>
#include <tenon/core/isa.hpp>
#include <tenon/core/sentence.hpp>
#include <tenon/io/file_kind.hpp>
#include <tenon/io/mapped_file.hpp>
#include <tenon/io/pth.hpp>
#include <tenon/io/safetensors.hpp>
#include <tenon/io/shards.hpp>
#include <tenon/io/weights_info.hpp>

namespace tenon {

namespace detail {
inline namespace TENON_ISA_NAMESPACE {

/// The fields of a protobuf message, one after another; those that aren't needed here are skipped.
template <class Once = void>
class ProtobufReaderOf {
public:
    explicit ProtobufReaderOf(std::string_view bytes) : bytes_{bytes} {}

    /// Calls text(field number, bytes) for each field that is text, bytes or a message. Throws tenon::Error when the
    /// bytes are not a message.
    template <class Text>
    void read(const Text& text) {
        while (!bytes_.empty()) {
            const std::uint64_t key = varint();
            switch (key & 7) {
                case 0:
                    varint();
                    break;
                case 1:
                    take(8);
                    break;
                case 2:
                    text(key >> 3, take(varint()));
                    break;
                case 5:
                    take(4);
                    break;
                default:
                    fail();
            }
        }
    }

private:
    [[noreturn]] static void fail() { throw Error("this is not an ONNX file, or it is damaged"); }

    std::string_view take(std::uint64_t length) {
        if (length > bytes_.size()) fail();
        const std::string_view taken = bytes_.substr(0, index(length));
        bytes_.remove_prefix(taken.size());
        return taken;
    }
    std::uint64_t varint() {
        std::uint64_t value = 0;
        for (int shift = 0; shift < 64; shift += 7) {
            const auto byte = static_cast<unsigned char>(take(1).front());
            value |= std::uint64_t{byte & 0x7FU} << shift;
            if (byte < 0x80) return value;
        }
        fail();
    }

    std::string_view bytes_;
};
using ProtobufReader = ProtobufReaderOf<>;

/// The metadata_props of an ONNX file's ModelProto.
template <class Once = void>
Metadata onnx_metadata(std::string_view file) {
    constexpr std::uint64_t metadata_props = 14, key_field = 1, value_field = 2;
    Metadata metadata;
    ProtobufReader{file}.read([&](std::uint64_t field, std::string_view message) {
        if (field != metadata_props) return;
        std::string key, value;
        ProtobufReader{message}.read([&](std::uint64_t part, std::string_view text) {
            if (part == key_field) key = text;
            if (part == value_field) value = text;
        });
        metadata[key] = value;
    });
    return metadata;
}

/// Returns what `read` returns; an Error that it throws gets the file's name as a prefix.
template <class Read>
auto naming_file(const std::string& path, const Read& read) {
    try {
        return read();
    } catch (const Error& error) {
        throw_error({path, ": ", error.what()});
    }
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace detail

inline namespace TENON_ISA_NAMESPACE {

/// The information in a weights file besides its tensors: network, names of classes, other texts. For a safetensors or
/// an ONNX file, whoever wrote it; .pth and .npz files have no place for it, so theirs is empty. Throws tenon::Error,
/// naming the file, when it can't be read, is of another format, or has classes in its metadata that are no list of
/// names.
template <class Once = void>
WeightsInfo read_weights_info(const std::string& path) {
    const detail::MappedFile file{path};
    const std::span<const std::byte> bytes = file.bytes();
    const std::string_view text{reinterpret_cast<const char*>(bytes.data()), bytes.size()};
    // A zip archive, a stream of torch.save, or an index of shards: none has a place for it.
    if (text.starts_with("PK") || detail::PthFile::looks_like_stream(bytes) ||
        detail::ShardedWeights::looks_like(bytes))
        return {};
    if (!detail::looks_like_onnx(text)) {
        const SafetensorsFile safetensors{bytes, path};
        return detail::naming_file(path, [&] { return detail::weights_info(safetensors.metadata()); });
    }
    return detail::naming_file(path, [&] { return detail::weights_info(detail::onnx_metadata(text)); });
}
TENON_COMPILE_ONCE(WeightsInfo read_weights_info<void>(const std::string&));

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon
