#pragma once
// IWYU pragma: private, include <tenon/inference.hpp>

// Names files that people take for weights and that are something else.

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

#include <tenon/core/cold.hpp>
#include <tenon/core/isa.hpp>
#include <tenon/core/min_max.hpp>

namespace tenon::detail {
inline namespace TENON_ISA_NAMESPACE {

/// Whether the bytes begin as an ONNX file does: field 1 of its message, a small version, then another of its fields.
template <class Once = void>
TENON_COLD bool looks_like_onnx(std::string_view text) {
    constexpr std::string_view next = "\x12\x1a\x22\x28\x32\x3a\x42\x72";  // producer, domain, graph, metadata, ...
    return text.size() > 3 && text[0] == '\x08' && text[1] > 0 && text[1] < 32 && next.find(text[2]) != next.npos &&
           text.substr(0, 9).find('{') != 8;  // a safetensors file of a short header begins alike
}

/// What a file is that isn't one of tenon's formats, by its first bytes, and what to do about it: `this is a Git LFS
/// pointer ...`; empty for a file of no known kind.
template <class Once = void>
TENON_COLD std::string foreign_kind(std::span<const std::byte> bytes) {
    const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    if (text.empty()) return "the file is empty";
    struct Beginning {
        std::string_view bytes;
        const char* kind;
        std::size_t place = 0;
    };
    static constexpr const char* compressed = "this file is compressed (bzip2, xz or zstd); unpack it first";
    static constexpr const char* archive = "this is a RAR or 7z archive; unpack it first";
    static constexpr Beginning beginnings[] = {
        {"version https://git-lfs", "this is a Git LFS pointer, not the file itself; 'git lfs pull' gets the file"},
        {"\x89HDF", "this is an HDF5 file, as Keras writes; scripts/convert_weights.py makes a safetensors file of it"},
        {"\x93NUMPY", "this is one array of NumPy (.npy); save arrays with their names with numpy.savez"},
        {"\x1f\x8b", "this file is compressed by gzip; unpack it with gunzip, or tar xzf for a .tar.gz"},
        {"BZh", compressed},
        {"\xfd"
         "7zXZ",
         compressed},
        {"\x28\xb5\x2f\xfd", compressed},
        {"ustar", "this is a tar archive; unpack it with tar xf, and give one of its files", 257},
        {"PK\5\6", "this is an empty zip archive"},
        {"Rar!", archive},
        {"7z\xbc\xaf", archive},
        {"GGUF", "this is a GGUF file of a language model"},
        {"TFL3", "this is a TensorFlow Lite file", 4},
        {"\x89PNG", "this is an image"},
        {"\xff\xd8\xff", "this is an image"},
    };
    for (const Beginning& beginning : beginnings)
        if (text.size() > beginning.place && text.substr(beginning.place).starts_with(beginning.bytes))
            return beginning.kind;
    if (looks_like_onnx(text)) return "this is an ONNX file, which tenon writes but doesn't read as weights";
    if (text.size() > 1 && text[0] == '\x80' && text[1] >= 2 && text[1] <= 5)
        return "this is a pickle of Python that torch.save did not write; save weights with "
               "torch.save(model.state_dict(), path)";
    std::string_view rest = text.substr(0, 1000);
    if (rest.starts_with("\xef\xbb\xbf")) rest.remove_prefix(3);
    rest.remove_prefix(std::min(rest.find_first_not_of(" \t\r\n"), rest.size()));
    if (rest.starts_with('<'))
        return "this is an HTML or XML page, as a failed download leaves it; look at it with a text editor, and "
               "download "
               "the file again";
    if (rest.starts_with('{') || rest.starts_with('[')) return "this is JSON text, not a file of tensors";
    bool is_text = true;
    for (const char c : rest) {
        const auto byte = static_cast<unsigned char>(c);
        is_text = is_text && ((byte >= 0x20 && byte < 0x7f) || c == '\n' || c == '\r' || c == '\t');
    }
    return is_text && rest.size() > 8 ? "this is a text, not a file of tensors" : std::string();
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::detail
