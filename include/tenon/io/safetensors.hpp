#pragma once
// IWYU pragma: private, include <tenon/inference.hpp>

// Reads safetensors files, the format of the library's weights: 8 bytes of header length, a JSON header with the name,
// dtype, shape and byte range of each tensor, then the tensors' data. (safetensors_writer.hpp writes them.)
//
//     tenon::SafetensorsFile file("resnet18.safetensors");
//     const std::vector<std::int64_t>& shape = file.at("conv1.weight").shape;    // {64, 3, 7, 7}
//     const std::vector<float> values = file.values<float>("conv1.weight");     // row-major: 64 x 3 x 7 x 7

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <limits>
#include <list>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tenon/core/cold.hpp>
#include <tenon/core/error.hpp>
#include <tenon/core/index.hpp>
#include <tenon/core/isa.hpp>
#include <tenon/core/min_max.hpp>
#include <tenon/core/names.hpp>
#include <tenon/core/sentence.hpp>
#include <tenon/io/file_kind.hpp>
#include <tenon/io/json.hpp>
#include <tenon/io/mapped_file.hpp>
#include <tenon/io/tensor_entry.hpp>

namespace tenon {
inline namespace TENON_ISA_NAMESPACE {

/// Free text about a file: pairs of a key and a value, in UTF-8.
using Metadata = std::map<std::string, std::string, std::less<>>;

}  // namespace TENON_ISA_NAMESPACE

namespace detail {
inline namespace TENON_ISA_NAMESPACE {

inline constexpr std::string_view metadata_key = "__metadata__";
inline constexpr std::size_t header_length_bytes = 8;
inline constexpr std::size_t max_header_bytes = 100'000'000;  // the format's own limit

}  // namespace TENON_ISA_NAMESPACE
}  // namespace detail

inline namespace TENON_ISA_NAMESPACE {

/// A safetensors file, checked completely when it is opened: every byte of the data belongs to exactly one tensor, and
/// each tensor has as many bytes as its dtype and shape demand. Tensors are views into the file, which is mapped into
/// memory.
class SafetensorsFile {
public:
    /// Maps and checks the file at `path`. Throws tenon::Error, naming the file, when it can't be read or isn't a valid
    /// safetensors file.
    template <class Once = void>
    explicit SafetensorsFile(const std::string& path) : source_(path), file_(path) {
        parse(file_.bytes());
    }

    /// Checks a file that is already in memory; `bytes` must outlive this object. Throws tenon::Error as above, naming
    /// the file `source`.
    template <class Once = void>
    explicit SafetensorsFile(std::span<const std::byte> bytes, std::string source = "safetensors data in memory")
        : source_(std::move(source)) {
        parse(bytes);
    }

    /// All tensors, in the order of their data.
    const std::vector<TensorEntry>& tensors() const& { return tensors_; }
    std::vector<TensorEntry> tensors() && { return std::move(tensors_); }

    /// The tensor of this name, or nullptr.
    template <class Once = void>
    const TensorEntry* find(std::string_view name) const {
        std::size_t first = 0, last = by_name_.size();  // of those that aren't known to have another name
        while (first < last) {
            const std::size_t middle = first + (last - first) / 2;
            const int order = tensors_[by_name_[middle]].name.compare(name);
            if (order == 0) return &tensors_[by_name_[middle]];
            (order < 0 ? first : last) = order < 0 ? middle + 1 : middle;
        }
        return nullptr;
    }

    /// The tensor of this name. Throws tenon::Error, with names that the file has, when there is none.
    template <class Once = void>
    TENON_RUNS_ONCE const TensorEntry& at(std::string_view name) const {
        if (const TensorEntry* const entry = find(name)) return *entry;
        std::string names;
        constexpr std::size_t shown = 5;
        for (std::size_t i = 0; i < std::min(by_name_.size(), shown); ++i) {
            names += i == 0 ? ": " : ", ";
            names += detail::quote_name(tensors_[by_name_[i]].name);
        }
        if (by_name_.size() > shown) names += ", ...";
        detail::throw_error({source_, ": expected a tensor ", detail::quote_name(name), ", found ", by_name_.size(),
                             " tensors", names});
    }

    /// The values of a tensor whose dtype is exactly that of T. Throws tenon::Error, naming file and tensor, when there
    /// is none or its dtype differs.
    template <detail::Element T>
    std::vector<T> values(std::string_view name) const {
        const TensorEntry& entry = at(name);
        return naming_source([&] {
            if (entry.dtype != detail::dtype_of<T>) detail::fail_dtype(entry, detail::dtype_name(detail::dtype_of<T>));
            std::vector<T> result(entry.bytes.size() / sizeof(T));
            detail::read_elements(entry, std::span(result));
            return result;
        });
    }

    /// The metadata, under the key `__metadata__` in the file; empty when that is missing.
    const Metadata& metadata() const { return metadata_; }

    /// The path the file was opened by, or what the caller named it: for error messages.
    const std::string& source() const { return source_; }

private:
    /// Returns what `action` returns; an Error that it throws gets the file's name as a prefix.
    template <class Action>
    decltype(auto) naming_source(Action&& action) const {
        try {
            return action();
        } catch (const Error& error) {
            detail::throw_error({source_, ": ", error.what()});
        }
    }

    template <class Once = void>
    void parse(std::span<const std::byte> bytes) {
        naming_source([&] {
            const std::string_view text = header_text(bytes);
            const auto data = bytes.subspan(detail::header_length_bytes + text.size());
            for (const Description& description : read_header(text)) tensors_.push_back(make_entry(description, data));
            check_layout(data);
            by_name_ = detail::sorted_order(
                tensors_.size(), [&](std::size_t a, std::size_t b) { return tensors_[a].name < tensors_[b].name; });
        });
    }

    template <class Once = void>
    TENON_COLD static std::string_view header_text(std::span<const std::byte> bytes) {
        if (bytes.size() <= detail::header_length_bytes || bytes[detail::header_length_bytes] != std::byte{'{'})
            if (const std::string kind = detail::foreign_kind(bytes); !kind.empty())
                detail::throw_error({"not a safetensors file: ", kind});
        if (bytes.size() < detail::header_length_bytes)
            detail::throw_error(
                {"not a safetensors file: expected 8 bytes of header length, found ", bytes.size(), " bytes in all"});
        std::uint64_t length = 0;
        std::memcpy(&length, bytes.data(), sizeof length);
        const std::size_t rest = bytes.size() - detail::header_length_bytes;
        if (length > detail::max_header_bytes)
            detail::throw_error({"not a safetensors file: its header would be ", length,
                                 " bytes long, expected at most ", detail::max_header_bytes});
        if (length > rest)
            detail::throw_error({"the file is truncated: expected a header of ", length, " bytes, found ", rest});
        const std::string_view text(reinterpret_cast<const char*>(bytes.data()) + detail::header_length_bytes,
                                    detail::index(length));
        if (!text.starts_with('{')) throw Error("not a safetensors file: expected a header that begins with '{'");
        return text;
    }

    /// A tensor as the header describes it, unchecked.
    struct Description {
        std::string name, dtype;
        std::vector<std::uint64_t> shape, range;
        bool has_dtype = false, has_shape = false, has_range = false;
    };

    /// The descriptions in the header with their names; fills in the metadata.
    template <class Once = void>
    TENON_COLD std::list<Description> read_header(std::string_view text) {
        std::list<Description> descriptions;
        detail::JsonReader reader(text);
        try {
            reader.read_object([&](const std::string& key) {
                if (key != detail::metadata_key) {
                    if (descriptions.size() == detail::max_tensors) fail_count(reader, detail::max_tensors, "tensors");
                    read_description(reader, key, descriptions.emplace_back());
                } else if (!reader.read_null()) {  // which the format's own reader takes for none
                    reader.read_object([&](const std::string& name) {
                        if (metadata_.size() == detail::max_tensors)
                            fail_count(reader, detail::max_tensors, "texts in __metadata__");
                        metadata_.insert({name, reader.read_string()});
                    });
                }
            });
            reader.read_end();
        } catch (const Error& error) {
            detail::throw_error({"the header is malformed at ", error.what()});
        }
        return descriptions;
    }

    template <class Once = void>
    TENON_COLD static void read_description(detail::JsonReader& reader, const std::string& name,
                                            Description& description) {
        description.name = name;
        reader.read_object([&](const std::string& key) {
            if (key == "dtype") {
                description.dtype = reader.read_string();
                description.has_dtype = true;
                return;
            }
            const bool is_shape = key == "shape";
            if (!is_shape && key != "data_offsets")
                reader.fail({"expected dtype, shape or data_offsets, found ", detail::quote_name(key)});
            (is_shape ? description.has_shape : description.has_range) = true;
            std::vector<std::uint64_t>& integers = is_shape ? description.shape : description.range;
            reader.read_array([&] {
                if (integers.size() == detail::max_dimensions) fail_count(reader, detail::max_dimensions, "dimensions");
                integers.push_back(reader.read_unsigned());
            });
        });
    }

    template <class Once = void>
    [[noreturn]] TENON_COLD static void fail_count(const detail::JsonReader& reader, std::size_t most,
                                                   std::string_view what) {
        reader.fail({"expected at most ", most, " ", what});
    }

    template <class Once = void>
    TENON_COLD static TensorEntry make_entry(const Description& description, std::span<const std::byte> data) {
        const auto fail = [&](std::initializer_list<detail::SentencePart> what) {
            detail::fail_tensor(description.name, what);
        };
        if (!description.has_dtype || !description.has_shape || !description.has_range)
            fail({!description.has_dtype   ? "its dtype is missing"
                  : !description.has_shape ? "its shape is missing"
                                           : "its data_offsets are missing"});
        TensorEntry entry;
        entry.name = description.name;
        if (const auto dtype = detail::dtype_from_name(description.dtype))
            entry.dtype = *dtype;
        else
            fail({"its dtype ", detail::quote_name(description.dtype), " is unknown"});
        for (const std::uint64_t dimension : description.shape) {
            if (dimension > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()))
                fail({"a dimension is ", dimension, ", more than can be addressed"});
            entry.shape.push_back(static_cast<std::int64_t>(dimension));
        }
        if (description.range.size() != 2)
            fail({"expected two data_offsets, begin and end, found ", description.range.size()});
        const std::uint64_t begin = description.range[0], end = description.range[1];
        if (begin > end) fail({"its data_offsets begin at ", begin, " but end at ", end});
        if (end > data.size())
            fail({"its data ends at byte ", end, ", but the file has only ", data.size(),
                  " bytes of data (truncated?)"});
        entry.bytes = data.subspan(detail::index(begin), detail::index(end - begin));
        detail::check_size(entry);
        return entry;
    }

    /// Sorts the tensors by their data and checks that these ranges cover `data` without holes or overlaps.
    template <class Once = void>
    TENON_COLD void check_layout(std::span<const std::byte> data) {
        // By begin, then by size: an empty tensor comes before the tensor that begins at the same byte.
        const auto is_before = [&](std::size_t i, std::size_t j) {
            const std::span<const std::byte> a = tensors_[i].bytes, b = tensors_[j].bytes;
            return a.data() != b.data() ? a.data() < b.data() : a.size() < b.size();
        };
        std::vector<TensorEntry> sorted;
        sorted.reserve(tensors_.size());
        for (const std::size_t i : detail::sorted_order(tensors_.size(), is_before))
            sorted.push_back(std::move(tensors_[i]));
        tensors_.swap(sorted);
        std::size_t covered = 0;
        const TensorEntry* previous = nullptr;
        for (const TensorEntry& entry : tensors_) {
            const auto begin = detail::index(entry.bytes.data() - data.data());
            if (begin < covered)
                detail::throw_error({"the data of tensor ", detail::quote_name(entry.name), " begins at byte ", begin,
                                     ", but that of tensor ", detail::quote_name(previous->name), " ends at byte ",
                                     covered});
            if (begin > covered)
                detail::throw_error({"bytes ", covered, " to ", begin, " of the data, before that of", " tensor ",
                                     detail::quote_name(entry.name), ", belong to no tensor"});
            covered += entry.bytes.size();
            previous = &entry;
        }
        if (covered != data.size())
            detail::throw_error({"the last ", data.size() - covered, " bytes of the file belong to no tensor"});
    }

    std::string source_;
    detail::MappedFile file_;
    std::vector<TensorEntry> tensors_;
    std::vector<std::size_t> by_name_;  ///< places in tensors_
    Metadata metadata_;
};

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon
