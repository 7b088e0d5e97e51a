// Whatever the bytes are, the reader either throws tenon::Error with a printable sentence, or has a file that says the
// same after it was written and read again.
#include <algorithm>
#include <cstdint>
#include <cstring>
#include <iterator>
#include <span>
#include <string>
#include <vector>

#include <tenon/io/safetensors.hpp>
#include <tenon/io/safetensors_writer.hpp>

#include "fuzzing.hpp"

namespace {

using fuzzing::is_printable;
using fuzzing::require;

/// Reads the values in every way that is allowed; the sanitizers watch.
void read_values(const tenon::SafetensorsFile& file, const tenon::TensorEntry& entry) {
    const auto count = tenon::detail::element_count(entry.shape);
    require(count.has_value(), "an accepted shape has a size");
    if (entry.bytes.empty()) return;
    std::vector<float> values(static_cast<std::size_t>(*count));
    try {
        tenon::detail::to_float(entry, values);
    } catch (const tenon::Error& error) {
        require(is_printable(error.what()), "the error is printable");
    }
    if (entry.dtype == tenon::DType::f32)
        require(std::ranges::equal(std::as_bytes(std::span(values)), entry.bytes), "F32 is read unchanged");
    if (entry.dtype == tenon::DType::u8)
        require(file.values<unsigned char>(entry.name).size() == values.size(), "U8 is read");
}

void check(const tenon::SafetensorsFile& file, std::span<const unsigned char> input) {
    std::uint64_t header = 0;
    std::memcpy(&header, input.data(), sizeof header);
    std::size_t total = sizeof header + header;
    for (const tenon::TensorEntry& entry : file.tensors()) {
        total += entry.bytes.size();
        require(file.find(entry.name) == &entry, "a tensor is found by its name");
        read_values(file, entry);
    }
    require(total == input.size(), "every byte of the data belongs to one tensor");

    const std::vector<std::byte> written = tenon::detail::safetensors_bytes(file.tensors(), file.metadata());
    const tenon::SafetensorsFile again(written, "written again");
    require(again.metadata() == file.metadata(), "the metadata is the same");
    require(again.tensors().size() == file.tensors().size(), "there are as many tensors");
    for (const tenon::TensorEntry& entry : file.tensors()) {
        const tenon::TensorEntry& other = again.at(entry.name);
        require(other.dtype == entry.dtype && other.shape == entry.shape, "dtype and shape are the same");
        require(std::ranges::equal(other.bytes, entry.bytes), "the data is the same");
    }
}

}  // namespace

extern "C" std::size_t LLVMFuzzerMutate(unsigned char* data, std::size_t size, std::size_t max_size);

/// Mutates, and mostly mends the header's length afterwards: hardly any input would come past that check otherwise.
extern "C" std::size_t LLVMFuzzerCustomMutator(unsigned char* data, std::size_t size, std::size_t max_size,
                                               unsigned seed) {
    size = LLVMFuzzerMutate(data, size, max_size);
    const auto end = std::find(std::make_reverse_iterator(data + size), std::make_reverse_iterator(data), '}').base();
    if (seed % 8 != 0 && end > data + 8) {
        const std::uint64_t length = static_cast<std::uint64_t>(end - data) - 8;
        std::memcpy(data, &length, sizeof length);
    }
    return size;
}

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
    try {
        const tenon::SafetensorsFile file(std::as_bytes(std::span(data, size)), "input");
        try {
            check(file, {data, size});
        } catch (const tenon::Error&) {
            require(false, "an accepted file is written and read again without an error");
        }
    } catch (const tenon::Error& error) {
        require(is_printable(error.what()), "the error is printable");
    }
    return 0;
}
