#pragma once
// IWYU pragma: private, include <tenon/training.hpp>

// Files that hold the complete state of a training: checked when they are read, replaced at once when they are written.
//
// A checkpoint is a safetensors file, so other tools can look into it; its metadata says that it is a checkpoint and of
// which format, and has a checksum of everything else.

#include <algorithm>
#include <filesystem>

#include <tenon/core/number_text.hpp>
#include <tenon/core/random.hpp>
#include <tenon/io/safetensors.hpp>
#include <tenon/io/safetensors_writer.hpp>

namespace tenon {

namespace detail {
inline namespace TENON_ISA_NAMESPACE {

/// The format that is written, and the only one that is read.
inline constexpr std::string_view checkpoint_format = "tenon checkpoint 1";

/// Where the previous checkpoint is kept.
inline std::string previous_checkpoint(const std::string& path) { return path + ".previous"; }

/// A checksum of 64 bits: words of 8 bytes go through a bijection, so a change of a single word is always detected.
class Checksum {
public:
    void add(std::span<const std::byte> bytes) {
        for (std::size_t i = 0; i < bytes.size(); i += 8) {
            std::uint64_t word = 0;
            std::memcpy(&word, bytes.data() + i, std::min<std::size_t>(8, bytes.size() - i));
            value_ = mix(value_ ^ word) + golden_step;
        }
        value_ = mix(value_ ^ bytes.size());
    }
    void add(std::string_view text) { add(std::as_bytes(std::span(text))); }
    std::string text() const { return std::to_string(value_); }

private:
    std::uint64_t value_ = golden_step;
};

/// The checksum of a checkpoint's tensors and metadata, in the order of their names.
inline std::string checksum_of(std::span<const TensorEntry> tensors, const Metadata& metadata) {
    std::map<std::string_view, const TensorEntry*> sorted;
    for (const TensorEntry& tensor : tensors) sorted[tensor.name] = &tensor;
    Checksum sum;
    for (const auto& [name, tensor] : sorted) {
        sum.add(name);
        sum.add(tensor->bytes);
    }
    for (const auto& [key, value] : metadata)
        if (key != "checksum") {
            sum.add(key);
            sum.add(value);
        }
    return sum.text();
}

/// Writes a checkpoint; the one that was at `path` moves to previous_checkpoint(path). At every moment there is a
/// complete checkpoint at `path`, if there was one before. Throws tenon::Error when it can't be written; then the files
/// are unchanged, or the previous checkpoint is the last one.
inline void write_checkpoint(const std::string& path, std::span<const TensorEntry> tensors, Metadata metadata) {
    metadata["format"] = checkpoint_format;
    metadata["checksum"] = checksum_of(tensors, metadata);
    std::error_code failed;
    // Where `path` is a symbolic link: of what it leads to, as a name of the link would lead to the new one.
    if (const std::string last = follow_links(path); std::filesystem::exists(last, failed)) {
        // A second name for the last checkpoint, so that it keeps its own until the new one is complete.
        const std::string link = path + ".keep";
        std::filesystem::remove(link, failed);
        std::filesystem::create_hard_link(last, link, failed);
        if (failed) std::filesystem::copy_file(last, link, failed);  // on another file system, for example
        if (!failed) std::filesystem::rename(link, previous_checkpoint(path), failed);
        if (failed) throw Error(path + ": cannot keep the previous checkpoint: " + failed.message());
    }
    write_safetensors(path, tensors, metadata);
}

/// Whether a text of a checkpoint is another, or is but for decimal commas: `rate=0,5` is `rate=0.5`.
inline bool is_same_text(const std::string& read, const std::string& expected) {
    return read == expected || with_decimal_points(read) == expected;
}

/// A checkpoint that was read and found complete.
class CheckpointFile {
public:
    /// Throws tenon::Error, naming the file, when it can't be read, is cut off, damaged, or not a checkpoint of this
    /// format.
    explicit CheckpointFile(const std::string& path) : path_{path}, file_{path} {
        const auto format = file_.metadata().find("format");
        if (format == file_.metadata().end() || !format->second.starts_with("tenon checkpoint"))
            throw Error(path + ": expected a checkpoint of a trainer, found another safetensors file");
        if (format->second != checkpoint_format)
            throw Error(path + ": expected the format '" + std::string(checkpoint_format) + "', found '" +
                        format->second + "'");
        const std::string expected = value("checksum"), found = checksum_of(file_.tensors(), file_.metadata());
        if (expected != found)
            throw Error(path + ": the file is damaged: its checksum is " + found + ", but it was written with " +
                        expected);
    }

    /// Whether the metadata has a value named `key`.
    bool has_value(std::string_view key) const { return file_.metadata().find(key) != file_.metadata().end(); }

    /// The value named `key`. Throws tenon::Error when there is none.
    const std::string& value(std::string_view key) const {
        const auto found = file_.metadata().find(key);
        if (found == file_.metadata().end())
            throw Error(path_ + ": the checkpoint has no value '" + std::string(key) + "'");
        return found->second;
    }

    /// The value named `key` as a number. Throws tenon::Error when there is none, or when it is not a number.
    template <class Number>
    Number number(std::string_view key) const {
        const std::string& text = value(key);
        const std::optional<Number> result = parse_number<Number>(with_decimal_points(text));
        if (!result) throw Error(path_ + ": expected a number as '" + std::string(key) + "', found '" + text + "'");
        return *result;
    }

    const TensorEntry* find(std::string_view name) const { return file_.find(name); }

    /// The tensor of `size` elements of T. Throws tenon::Error when there is none, or when it has another type or size.
    template <Element T>
    const TensorEntry& tensor(std::string_view name, std::size_t size) const {
        const TensorEntry* entry = file_.find(name);
        if (!entry) throw Error(path_ + ": the checkpoint has no tensor '" + std::string(name) + "'");
        if (entry->dtype != dtype_of<T> || entry->bytes.size() != size * sizeof(T))
            throw Error(path_ + ": expected the tensor '" + std::string(name) + "' to have " + std::to_string(size) +
                        " elements, found " + std::string(dtype_name(entry->dtype)) + " of shape " +
                        shape_to_string(entry->shape));
        return *entry;
    }

    const std::string& path() const { return path_; }

private:
    std::string path_;
    SafetensorsFile file_;
};

}  // namespace TENON_ISA_NAMESPACE
}  // namespace detail

}  // namespace tenon

namespace tenon::programs {

/// Where the previous checkpoint is kept: `a.ckpt` -> `a.ckpt.previous`.
using detail::previous_checkpoint;

}  // namespace tenon::programs
