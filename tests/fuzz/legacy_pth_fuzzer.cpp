// Whatever follows the beginning of a .pth file of before PyTorch 1.6, it is either refused by tenon::Error with a
// printable sentence, or gives tensors whose shapes and bytes agree and that take little more memory than the file.
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include <tenon/io/tensor_file.hpp>

#include "fuzzing.hpp"

namespace {

using fuzzing::is_printable;
using fuzzing::require;

void check(std::span<const std::byte> bytes, const tenon::TensorFile::Options& options) {
    try {
        const tenon::TensorFile file{bytes, "input", options};
        for (const tenon::TensorEntry& entry : file.tensors()) {
            tenon::detail::check_size(entry);
            const std::vector<std::byte> copy(entry.bytes.begin(), entry.bytes.end());  // the sanitizers watch
        }
    } catch (const tenon::Error& error) {
        require(is_printable(error.what()), "an error is a printable sentence");
    }
}

/// The number and the version of torch.save's older format, and a description of the machine.
std::string beginning() {
    using namespace std::string_literals;
    return "\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.\x80\x02M\xe9\x03.\x80\x02}X\x0d\0\0\0little_endian\x88s."s;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static const std::string begin = beginning();
    std::string whole = begin + std::string(reinterpret_cast<const char*>(data), size);
    std::vector<std::string> notes;
    check(std::as_bytes(std::span(whole)), {.notes = &notes});
    check(std::as_bytes(std::span(data, size)), {.key = "state_dict", .strip_prefixes = false});
    for (const std::string& note : notes) require(is_printable(note), "a note is a printable sentence");
    return 0;
}
