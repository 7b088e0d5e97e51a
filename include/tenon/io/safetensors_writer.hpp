#pragma once
// IWYU pragma: private, include <tenon/inference.hpp>

// Writes safetensors files. (safetensors.hpp reads them and says what the format is.)

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tenon/core/error.hpp>
#include <tenon/core/isa.hpp>
#include <tenon/core/min_max.hpp>
#include <tenon/core/names.hpp>
#include <tenon/core/round.hpp>
#include <tenon/core/sentence.hpp>
#include <tenon/core/span_of.hpp>
#include <tenon/io/atomic_file.hpp>
#include <tenon/io/json.hpp>
#include <tenon/io/safetensors.hpp>
#include <tenon/io/tensor_entry.hpp>

namespace tenon {
inline namespace TENON_ISA_NAMESPACE {

/// An entry of this shape for `values`, which must outlive it: `make_tensor_entry<float>("fc.bias", {10}, bias)`.
template <detail::Element T>
TensorEntry make_tensor_entry(std::string name, std::vector<std::int64_t> shape, std::span<const T> values) {
    return {.name = std::move(name),
            .dtype = detail::dtype_of<T>,
            .shape = std::move(shape),
            .bytes = std::as_bytes(values)};
}

}  // namespace TENON_ISA_NAMESPACE

namespace detail {
inline namespace TENON_ISA_NAMESPACE {

/// The parts of a safetensors file: its length and header, then the data of each tensor.
struct SafetensorsParts {
    std::string header;
    std::vector<std::span<const std::byte>> data;
};

/// Throws tenon::Error when two tensors share a name or one can't be written, or read back.
template <class Once = void>
void check_tensors(std::span<const TensorEntry> tensors) {
    if (tensors.size() > max_tensors) throw_error({tensors.size(), " tensors; expected at most ", max_tensors});
    NameIndex names;
    for (const TensorEntry& tensor : tensors) {
        if (!is_utf8(tensor.name)) throw Error("the name of a tensor is not UTF-8");
        if (tensor.name == metadata_key) throw_error({"a tensor cannot be named ", quote_name(tensor.name)});
        if (!names.add(tensor.name)) throw_error({"two tensors are named ", quote_name(tensor.name)});
        if (tensor.shape.size() > max_dimensions)
            fail_tensor(tensor.name, {"expected at most ", max_dimensions, " dimensions, found ", tensor.shape.size()});
        check_size(tensor);
    }
}

/// Writes the members of a safetensors header.
template <class Once = void>
class SafetensorsHeader {
public:
    void add_metadata(const Metadata& metadata) {
        if (metadata.empty()) return;
        if (metadata.size() > max_tensors)
            throw_error({metadata.size(), " texts of metadata; expected at most ", max_tensors});
        begin_member(metadata_key);
        json_ += '{';
        for (const auto& [key, value] : metadata) {
            if (!is_utf8(key) || !is_utf8(value)) throw Error("the metadata is not UTF-8");
            begin_member(key);
            json_ += json_string(value);
        }
        json_ += '}';
    }

    /// Adds a tensor whose data comes after that of the tensors before.
    void add_tensor(const TensorEntry& tensor) {
        const std::size_t begin = end_;
        end_ += tensor.bytes.size();
        begin_member(tensor.name);
        json_ += "{\"dtype\":\"" + std::string(dtype_name(tensor.dtype)) + "\",\"shape\":[";
        for (std::size_t d = 0; d < tensor.shape.size(); ++d) {
            if (d > 0) json_ += ',';
            json_ += std::to_string(tensor.shape[d]);
        }
        json_ += "],\"data_offsets\":[" + std::to_string(begin) + "," + std::to_string(end_) + "]}";
    }

    /// The length and the header, with spaces at its end so that the data begins at a multiple of 64 bytes.
    std::string bytes() {
        json_ += '}';
        constexpr std::size_t alignment = 64;
        const std::size_t before_data = round_up(header_length_bytes + json_.size(), alignment);
        json_.resize(before_data - header_length_bytes, ' ');
        if (json_.size() > max_header_bytes)
            throw_error({"the header is ", json_.size(), " bytes long, expected at most ", max_header_bytes});
        const std::uint64_t length = json_.size();
        std::string all(header_length_bytes, '\0');
        std::memcpy(all.data(), &length, sizeof length);
        return all + json_;
    }

private:
    void begin_member(std::string_view key) {
        if (json_.back() != '{') json_ += ',';
        json_ += json_string(key) + ":";
    }

    std::string json_ = "{";
    std::size_t end_ = 0;  // of the data of all tensors so far
};

/// Throws tenon::Error as safetensors_bytes does.
template <class Once = void>
SafetensorsParts safetensors_parts(std::span<const TensorEntry> tensors, const Metadata& metadata) {
    check_tensors(tensors);
    // Larger elements first: with a data section that is aligned, every tensor is then aligned for its elements.
    const std::vector<std::size_t> order = sorted_order(tensors.size(), [&](std::size_t a, std::size_t b) {
        return dtype_bits(tensors[a].dtype) > dtype_bits(tensors[b].dtype);
    });
    SafetensorsHeader<> header;
    header.add_metadata(metadata);
    SafetensorsParts parts;
    for (const std::size_t i : order) {
        header.add_tensor(tensors[i]);
        parts.data.push_back(tensors[i].bytes);
    }
    parts.header = header.bytes();
    return parts;
}

/// A safetensors file in memory. Throws tenon::Error when two tensors share a name, a name or the metadata is not
/// UTF-8, or the number of a tensor's bytes doesn't match its dtype and shape.
template <class Once = void>
std::vector<std::byte> safetensors_bytes(std::span<const TensorEntry> tensors, const Metadata& metadata = {}) {
    const SafetensorsParts parts = safetensors_parts(tensors, metadata);
    const auto header = std::as_bytes(std::span<const char>{parts.header.data(), parts.header.size()});
    std::vector<std::byte> bytes(header.begin(), header.end());
    for (const auto& part : parts.data) bytes.insert(bytes.end(), part.begin(), part.end());
    return bytes;
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace detail

inline namespace TENON_ISA_NAMESPACE {

/// Writes a safetensors file, whose data begins at a multiple of 64 bytes. Throws tenon::Error, naming the file, when
/// two tensors share a name, a name or the metadata is not UTF-8, the number of a tensor's bytes doesn't match its
/// dtype and shape, or the file can't be written; the file that was at `path` is then unchanged.
template <class Once = void>
void write_safetensors(const std::string& path, std::span<const TensorEntry> tensors, const Metadata& metadata = {}) {
    detail::SafetensorsParts parts;
    try {
        parts = detail::safetensors_parts(tensors, metadata);
    } catch (const Error& error) {
        detail::throw_error({path, ": ", error.what()});
    }
    parts.data.insert(parts.data.begin(),
                      std::as_bytes(std::span<const char>{parts.header.data(), parts.header.size()}));
    detail::write_file_atomically(path, detail::span_of(parts.data));
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon
