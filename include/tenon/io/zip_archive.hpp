#pragma once
// IWYU pragma: private, include <tenon/inference.hpp>

// Reads the directory of a zip archive whose entries are stored uncompressed: the container of .pth and .npz files.

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <limits>
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
#include <tenon/io/json.hpp>
#include <tenon/io/tensor_entry.hpp>

namespace tenon::detail {
inline namespace TENON_ISA_NAMESPACE {

/// A zip archive in memory. When the archive is opened, every entry is checked to be inside the file; checksums are not
/// computed. Encrypted and multi-disk archives are errors, compressed entries only when they are requested.
template <class Once = void>
class ZipArchiveOf {
public:
    /// One entry: its name, how it is compressed (0: stored), and its bytes in the file.
    struct Entry {
        std::string name;
        int method = 0;
        std::span<const std::byte> bytes;
    };

    /// Whether bytes begin like a zip archive.
    TENON_COLD static bool looks_like(std::span<const std::byte> bytes) {
        return bytes.size() >= 4 && std::memcmp(bytes.data(), "PK\3\4", 4) == 0;
    }

    /// Reads the directory; `bytes` must outlive this object. Throws tenon::Error when it is damaged or encrypted.
    TENON_COLD explicit ZipArchiveOf(std::span<const std::byte> bytes) : bytes_{bytes} {
        const Directory directory = find_directory();
        std::uint64_t at = directory.offset;
        if (directory.entries > max_tensors)
            throw_error({"the zip archive has ", directory.entries, " entries; expected at most ", max_tensors});
        for (std::uint64_t i = 0; i < directory.entries; ++i) at = read_entry(at);
        for (std::size_t i = 0; i < entries_.size(); ++i)
            if (!by_name_.add(entries_[i].name, i)) fail({"it has two entries named ", quote_name(entries_[i].name)});
        check_overlaps();
    }

    /// The whole archive.
    std::span<const std::byte> bytes() const { return bytes_; }

    const std::vector<Entry>& entries() const { return entries_; }

    /// The entry of this name, or nullptr.
    TENON_COLD const Entry* find(std::string_view name) const {
        const std::size_t* const found = by_name_.find(name);
        return found ? &entries_[*found] : nullptr;
    }

    /// The bytes of an entry. Throws tenon::Error when it is compressed.
    TENON_COLD static std::span<const std::byte> stored(const Entry& entry) {
        if (entry.method != 0)
            throw_error({"the entry ", quote_name(entry.name),
                         " of the archive is compressed; expected one that is stored as it is (numpy.savez does that, "
                         "numpy.savez_compressed does not)"});
        return entry.bytes;
    }

private:
    struct Directory {
        std::uint64_t offset, entries;
    };

    static constexpr std::uint32_t no_value_32 = 0xFFFFFFFF;  // the value is in a zip64 record
    static constexpr std::uint16_t no_value_16 = 0xFFFF;

    [[noreturn]] TENON_COLD static void fail(std::initializer_list<SentencePart> what) {
        throw_error({"the zip archive is damaged: ", joined(what)});
    }
    [[noreturn]] TENON_COLD static void fail(const char* what) { fail(std::initializer_list<SentencePart>{what}); }

    /// Throws tenon::Error unless the file has `size` bytes from `at` on.
    TENON_COLD void check_inside(std::uint64_t at, std::size_t size) const {
        if (at > bytes_.size() || bytes_.size() - at < size)
            fail({"a record at byte ", at, " is outside the ", bytes_.size(), " bytes of the file"});
    }

    template <class T>
    TENON_COLD T read(std::uint64_t at) const {
        check_inside(at, sizeof(T));
        T value;
        std::memcpy(&value, bytes_.data() + at, sizeof value);
        return value;
    }

    TENON_COLD std::string_view text(std::uint64_t at, std::size_t size) const {
        if (at > bytes_.size() || bytes_.size() - at < size) fail("a name is outside the file");
        return {reinterpret_cast<const char*>(bytes_.data()) + at, size};
    }

    /// The record at the file's end, or the zip64 record before it when it refers to one.
    TENON_COLD Directory find_directory() const {
        constexpr std::uint64_t size = 22, max_comment_bytes = 0xFFFF;
        if (bytes_.size() < size) fail({"it is only ", bytes_.size(), " bytes long"});
        const std::uint64_t last = bytes_.size() - size,
                            first = last > max_comment_bytes ? last - max_comment_bytes : 0;
        for (std::uint64_t at = last + 1; at-- > first;) {
            if (read<std::uint32_t>(at) != 0x06054b50) continue;
            const Directory found{read<std::uint32_t>(at + 16), read<std::uint16_t>(at + 10)};
            if (found.offset != no_value_32 && found.entries != no_value_16) return found;
            constexpr std::uint64_t locator_size = 20;
            if (at < locator_size || read<std::uint32_t>(at - locator_size) != 0x07064b50)
                fail("its zip64 directory is missing");
            const auto record = read<std::uint64_t>(at - locator_size + 8);
            if (read<std::uint32_t>(record) != 0x06064b50) fail("its zip64 directory is not where it should be");
            return {read<std::uint64_t>(record + 48), read<std::uint64_t>(record + 32)};
        }
        fail("its directory is missing (truncated?)");
    }

    /// Reads an entry of the directory; returns where the next one begins.
    TENON_COLD std::uint64_t read_entry(std::uint64_t at) {
        if (read<std::uint32_t>(at) != 0x02014b50) fail({"expected an entry of its directory at byte ", at});
        constexpr int encrypted = 1;
        if (read<std::uint16_t>(at + 8) & encrypted) throw Error("the zip archive is encrypted");
        const auto name_size = read<std::uint16_t>(at + 28), extra_size = read<std::uint16_t>(at + 30),
                   comment_size = read<std::uint16_t>(at + 32);
        Entry entry{std::string(text(at + 46, name_size)), read<std::uint16_t>(at + 10), {}};
        if (!is_utf8(entry.name)) fail("the name of an entry is not UTF-8");
        std::uint64_t full = read<std::uint32_t>(at + 24), size = read<std::uint32_t>(at + 20),
                      offset = read<std::uint32_t>(at + 42);
        const std::uint64_t extra = at + 46 + name_size, extra_end = extra + extra_size;
        for (std::uint64_t field = extra; field + 4 <= extra_end;) {
            const auto kind = read<std::uint16_t>(field), length = read<std::uint16_t>(field + 2);
            std::uint64_t value = field + 4;
            field = value + length;
            if (kind != 1) continue;  // not zip64's
            for (std::uint64_t* number : {&full, &size, &offset})
                if (*number == no_value_32 && value + 8 <= field) {
                    *number = read<std::uint64_t>(value);
                    value += 8;
                }
        }
        if (read<std::uint32_t>(offset) != 0x04034b50)
            fail({"the entry ", quote_name(entry.name), " is not where its directory says"});
        const std::uint64_t data = offset + 30 + read<std::uint16_t>(offset + 26) + read<std::uint16_t>(offset + 28);
        if (data > bytes_.size() || bytes_.size() - data < size || (entry.method == 0 && full != size))
            fail(
                {"the entry ", quote_name(entry.name), " takes ", size, " bytes, more than the file has (truncated?)"});
        entry.bytes = bytes_.subspan(index(data), index(size));
        entries_.push_back(std::move(entry));
        return extra_end + comment_size;
    }

    /// Throws tenon::Error when entries share bytes, so that an archive can't describe more than it holds.
    TENON_COLD void check_overlaps() const {
        const std::byte* end = bytes_.data();
        for (const std::size_t i : sorted_order(entries_.size(), [&](std::size_t a, std::size_t b) {
                 return entries_[a].bytes.data() < entries_[b].bytes.data();
             })) {
            const std::span<const std::byte> part = entries_[i].bytes;
            if (part.empty()) continue;
            if (end > part.data()) fail("its entries overlap");
            end = part.data() + part.size();
        }
    }

    std::span<const std::byte> bytes_;
    std::vector<Entry> entries_;
    NameIndex by_name_;
};
using ZipArchive = ZipArchiveOf<>;

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::detail
