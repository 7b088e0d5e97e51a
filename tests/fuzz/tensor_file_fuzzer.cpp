// Whatever the bytes are, a .pth, .npz or other file of tensors is either refused by tenon::Error with a printable
// sentence, or gives tensors whose shapes and bytes agree.
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <vector>

#include <tenon/io/tensor_file.hpp>

#include "fuzzing.hpp"

namespace {

using fuzzing::is_printable;
using fuzzing::require;

/// Reads every byte of every tensor, as floats where it holds any; the sanitizers watch.
void read(const tenon::TensorFile& file) {
    for (const tenon::TensorEntry& entry : file.tensors()) {
        const auto count = tenon::detail::element_count(entry.shape);
        require(count.has_value(), "an accepted shape has a size");
        require(
            static_cast<std::uint64_t>(*count) * static_cast<std::uint64_t>(tenon::detail::dtype_bits(entry.dtype)) ==
                entry.bytes.size() * 8,
            "a tensor has as many bytes as its shape demands");
        std::vector<std::byte> copy(entry.bytes.begin(), entry.bytes.end());
        try {
            std::vector<float> values(static_cast<std::size_t>(*count));
            tenon::detail::to_float(entry, values);
        } catch (const tenon::Error& error) {
            require(is_printable(error.what()), "an error is a printable sentence");
        }
    }
}

void check(std::span<const std::byte> bytes) {
    try {
        read(tenon::TensorFile{bytes, "input"});
    } catch (const tenon::Error& error) {
        require(is_printable(error.what()), "an error is a printable sentence");
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto bytes = std::as_bytes(std::span(data, size));
    check(bytes);
    // The pickle alone, as a fuzzer seldom finds a whole archive around it.
    try {
        tenon::detail::PickleReader{bytes}.read();
    } catch (const tenon::Error& error) {
        require(is_printable(error.what()), "an error is a printable sentence");
    }
    return 0;
}
