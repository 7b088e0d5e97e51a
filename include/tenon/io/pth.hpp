#pragma once
// IWYU pragma: private, include <tenon/inference.hpp>

// Reads PyTorch's weights files: a zip archive of a pickle and one entry per storage (torch.save since version 1.6), or
// a stream of pickles and storages (before).

#include <cstddef>
#include <cstdint>
#include <cstring>
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
#include <tenon/core/span_of.hpp>
#include <tenon/io/dtype.hpp>
#include <tenon/io/pickle.hpp>
#include <tenon/io/strided.hpp>
#include <tenon/io/tensor_entry.hpp>
#include <tenon/io/torch_checkpoint.hpp>
#include <tenon/io/zip_archive.hpp>

namespace tenon::detail {
inline namespace TENON_ISA_NAMESPACE {

/// A type of storage: what torch calls it, the bytes of an element, and the type of its elements if they can be read.
struct StorageType {
    std::string_view name;
    std::size_t bytes;
    DType dtype;
    bool is_read = true;
};
template <class Once = void>
TENON_COLD const StorageType* find_storage_type(std::string_view name) {
    static constexpr StorageType known[] = {{"torch FloatStorage", 4, DType::f32},
                                            {"torch DoubleStorage", 8, DType::f64},
                                            {"torch HalfStorage", 2, DType::f16},
                                            {"torch BFloat16Storage", 2, DType::bf16},
                                            {"torch LongStorage", 8, DType::i64},
                                            {"torch IntStorage", 4, DType::i32},
                                            {"torch ShortStorage", 2, DType::i16},
                                            {"torch CharStorage", 1, DType::i8},
                                            {"torch ByteStorage", 1, DType::u8},
                                            {"torch BoolStorage", 1, DType::boolean},
                                            {"torch ComplexFloatStorage", 8, DType::u8, false},
                                            {"torch ComplexDoubleStorage", 16, DType::u8, false},
                                            {"torch QInt8Storage", 1, DType::u8, false},
                                            {"torch QUInt8Storage", 1, DType::u8, false},
                                            {"torch QInt32Storage", 4, DType::u8, false},
                                            {"torch.storage UntypedStorage", 1, DType::u8, false}};
    for (const StorageType& type : known)
        if (type.name == name) return &type;
    return nullptr;
}

/// The weights in what torch.save wrote: a state_dict or a checkpoint that holds one. Tensors are views into the file;
/// those that were not contiguous are copies, which together take little more than the file. Nothing in the file is
/// executed.
template <class Once = void>
class PthFileOf {
public:
    /// Whether an archive is one of PyTorch's.
    TENON_COLD static bool looks_like(const ZipArchive& archive) { return pickle_of(archive) != nullptr; }

    /// Whether bytes begin as a stream does: with a pickle of torch.save's own number.
    TENON_COLD static bool looks_like_stream(std::span<const std::byte> bytes) {
        const std::string_view begin(reinterpret_cast<const char*>(bytes.data()),
                                     std::min<std::size_t>(bytes.size(), 40));
        return begin.starts_with('\x80') && begin.find("\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19") != begin.npos;
    }

    /// Reads the archive, whose bytes must outlive this object. Throws tenon::Error when it has no state_dict.
    TENON_COLD PthFileOf(const ZipArchive& archive, const TensorFileOptions& options) {
        const ZipArchive::Entry* const pickle = pickle_of(archive);
        if (!pickle) throw Error("expected an archive with an entry data.pkl");
        const std::string folder = pickle->name.substr(0, pickle->name.size() - pickle_name.size());
        if (archive.find(folder + "constants.pkl"))
            throw Error(
                "this is a TorchScript archive, a program; save its weights with "
                "torch.save(torch.jit.load(path).state_dict(), other_path)");
        if (const auto* order = archive.find(folder + "byteorder")) {
            const auto bytes = ZipArchive::stored(*order);
            if (std::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size()) != "little")
                fail_big_endian();
        }
        PickleReader reader{ZipArchive::stored(*pickle)};
        const PickleValue& content = reader.read();
        const std::string data = folder + "data/";
        take_weights(content, archive.bytes().size(), options,
                     [&](const std::string& name, const PickleValue& storage) {
                         const auto* const entry = archive.find(data + std::string(storage.items[2]->text));
                         if (!entry) fail_tensor(name, {"the archive lacks its storage"});
                         return ZipArchive::stored(*entry);
                     });
    }

    /// Reads a stream, whose bytes must outlive this object. Throws tenon::Error when it has no state_dict.
    TENON_COLD PthFileOf(std::span<const std::byte> bytes, const TensorFileOptions& options) {
        PickleReader reader{bytes};
        reader.read();  // the number that looks_like_stream found
        const PickleValue& version = reader.read();
        if (version.kind != Kind::integer || version.integer != 1001)
            throw Error("expected version 1001 of torch.save's older format, found another");
        for_each_entry(reader.read(), [](std::string_view key, const PickleValue& value) {
            if (key == "little_endian" && value.kind == Kind::boolean && value.integer == 0) fail_big_endian();
        });
        const PickleValue& content = reader.read();
        // Read when the types of all tensors are checked: a tensor of another type is an error by its name, wherever
        // its storage is.
        Storages storages;
        bool has_storages = false;
        take_weights(content, bytes.size(), options, [&](const std::string& name, const PickleValue& storage) {
            if (!std::exchange(has_storages, true)) storages = read_storages(reader, bytes);
            const std::size_t* const found = storages.by_key.find(storage.items[2]->text);
            if (!found) fail_tensor(name, {"the file lacks its storage"});
            return part_of(storages.entries[*found].bytes, storage, name);
        });
    }

    // Tensors may be views of the copies that the object owns; moving leaves these where they are, copying doesn't.
    PthFileOf(const PthFileOf&) = delete;
    PthFileOf& operator=(const PthFileOf&) = delete;
    PthFileOf(PthFileOf&&) noexcept = default;

    const std::vector<TensorEntry>& tensors() const { return tensors_.entries; }

    /// The tensors and the copies, which this object then has no more.
    TensorsWithCopies take() { return std::move(tensors_); }

private:
    using Kind = PickleValue::Kind;
    /// Where a storage's bytes are in a file.
    using StorageOf = FunctionRef<std::span<const std::byte>(const std::string&, const PickleValue&)>;
    struct Storages {
        NameIndex by_key;
        std::vector<ZipArchive::Entry> entries;  ///< without names
    };
    static constexpr std::string_view pickle_name = "data.pkl";
    /// Bytes that copies may take beyond the size of the file: tensors whose elements are all one value are small.
    static constexpr std::uint64_t small = 1 << 20;

    TENON_COLD static const ZipArchive::Entry* pickle_of(const ZipArchive& archive) {
        for (const ZipArchive::Entry& entry : archive.entries())
            if (entry.name == pickle_name || entry.name.ends_with("/data.pkl")) return &entry;
        return nullptr;
    }

    [[noreturn]] TENON_COLD static void fail_big_endian() {
        throw Error(
            "the weights are stored in big-endian order; expected little-endian: "
            "torch.save(torch.load(path), other_path) on an ordinary machine turns them");
    }

    /// Whether a value describes a storage: 'storage', type, key, device, number of elements.
    TENON_COLD static bool is_storage(const PickleValue& value) {
        return value.kind == Kind::tuple && value.items.size() >= 5 && value.items[0]->text == "storage" &&
               value.items[1]->kind == Kind::global && value.items[2]->kind == Kind::text &&
               value.items[4]->kind == Kind::integer;
    }

    TENON_COLD static std::vector<std::int64_t> integers(const PickleValue& tuple) {
        std::vector<std::int64_t> result;
        result.reserve(tuple.items.size());
        for (const PickleValue* item : tuple.items) result.push_back(item->kind == Kind::integer ? item->integer : -1);
        return result;
    }

    /// The storages that follow the pickles of a stream: a list of keys, then for each its elements after their number.
    TENON_COLD static Storages read_storages(PickleReader& reader, std::span<const std::byte> bytes) {
        NameIndex described;
        const std::vector<PickleValue*>& persistent = reader.persistent();
        for (std::size_t i = 0; i < persistent.size(); ++i)
            if (is_storage(*persistent[i])) described[std::string(persistent[i]->items[2]->text)] = i;
        const PickleValue& keys = reader.read();
        if (keys.kind != Kind::tuple) throw Error("expected a list of storages after the weights");
        Storages storages;
        std::size_t at = reader.position();
        for (const PickleValue* key : keys.items) {
            const std::size_t* const found = described.find(key->text);
            if (key->kind != Kind::text || !found) throw Error("the file lists a storage that none of its tensors has");
            const std::string name = joined({"the storage ", quote_name(key->text)});
            const std::string_view kind = persistent[*found]->items[1]->text;
            const StorageType* const type = find_storage_type(kind);
            if (!type)
                throw_error({name, ", which these weights don't need, is a ", python_name(kind),
                             ", whose size isn't known; save the weights alone"});
            std::uint64_t count = 0;
            if (bytes.size() - at < sizeof count) throw_error({"the file is truncated before ", name});
            std::memcpy(&count, bytes.data() + at, sizeof count);
            at += sizeof count;
            if (count > (bytes.size() - at) / type->bytes)
                throw_error({"the file is truncated in ", name, ", of which it says that it has ", count, " elements"});
            const std::size_t size = index(count) * type->bytes;
            if (!storages.by_key.add(std::string(key->text), storages.entries.size()))
                throw_error({name, " is there twice"});
            storages.entries.push_back({{}, 0, bytes.subspan(at, size)});
            at += size;
        }
        if (at != bytes.size()) throw_error({"the file has ", bytes.size() - at, " bytes after its storages"});
        return storages;
    }

    /// The part of a storage that its description says: in a stream, a storage may be a view of another.
    TENON_COLD static std::span<const std::byte> part_of(std::span<const std::byte> whole, const PickleValue& storage,
                                                         const std::string& name) {
        if (storage.items.size() < 6 || storage.items[5]->kind != Kind::tuple) return whole;
        const PickleValue& tuple = *storage.items[5];  // key, offset, number of elements
        const std::vector<std::int64_t> view =
            tuple.items.size() == 3 ? integers(tuple) : std::vector<std::int64_t>{0, -1, 0};
        const StorageType* const type = find_storage_type(storage.items[1]->text);
        const auto available = type ? static_cast<std::int64_t>(whole.size() / type->bytes) : 0;
        if (view[1] < 0 || view[2] < 0 || view[1] > available || view[2] > available - view[1])
            fail_tensor(name, {"its storage is a view that leads outside of another"});
        return whole.subspan(index(view[1]) * type->bytes, index(view[2]) * type->bytes);
    }

    TENON_COLD static void expect(bool condition, const std::string& name) {
        if (!condition) fail_tensor(name, {"its description is not one of PyTorch's"});
    }

    /// Names and shapes of a dictionary's tensors; empty when one is malformed.
    TENON_COLD static std::vector<TensorEntry> describe(const PickleValue& dictionary) {
        std::vector<TensorEntry> entries;
        bool is_valid = true;
        for_each_entry(dictionary, [&](std::string_view name, const PickleValue& value) {
            if (value.kind != Kind::tensor) return;
            const auto& arguments = value.items[0]->items;
            is_valid = is_valid && arguments.size() >= 4 && arguments[2]->kind == Kind::tuple &&
                       arguments[2]->items.size() <= max_dimensions && entries.size() < max_tensors;
            if (is_valid) entries.push_back({std::string(name), DType::f32, integers(*arguments[2]), {}});
        });
        return is_valid ? entries : std::vector<TensorEntry>{};
    }

    /// Finds the weights in the content of a file of `file_bytes` and takes their tensors; storage_of(name,
    /// description) returns the bytes of a storage.
    TENON_COLD void take_weights(const PickleValue& content, std::uint64_t file_bytes, const TensorFileOptions& options,
                                 StorageOf storage_of) {
        std::uint64_t room = file_bytes + small;
        std::vector<std::string> others;
        const PickleValue& weights =
            find_weights(content, options, [](const PickleValue& dictionary) { return describe(dictionary); });
        for_each_entry(weights, [&](std::string_view key, const PickleValue& value) {
            if (value.kind == Kind::tensor)
                check_type(std::string(key), value);
            else if (is_unread_tensor(value))
                fail_tensor(std::string(key), {unread_kind(value)});
            else
                add_name(others, key);
        });
        for_each_entry(weights, [&](std::string_view key, const PickleValue& value) {
            if (value.kind == Kind::tensor) add(std::string(key), value, room, storage_of);
        });
        if (!others.empty()) options.note({list_names(others), ": no tensors, and left out", whole_network(weights)});
    }

    /// Throws tenon::Error when a tensor's description is malformed, or the type of its elements isn't read.
    TENON_COLD static void check_type(const std::string& name, const PickleValue& tensor) {
        const auto& arguments = tensor.items[0]->items;  // storage, offset, shape, strides, ...
        expect(arguments.size() >= 4 && arguments[0]->kind == Kind::persistent && arguments[1]->kind == Kind::integer &&
                   arguments[2]->kind == Kind::tuple && arguments[3]->kind == Kind::tuple,
               name);
        // A shape that is written once may be that of many tensors, each of which takes a copy of it.
        if (std::max(arguments[2]->items.size(), arguments[3]->items.size()) > max_dimensions)
            fail_tensor(name, {"expected at most ", max_dimensions, " dimensions"});
        const PickleValue& storage = *arguments[0]->items[0];
        expect(is_storage(storage), name);
        const StorageType* const type = find_storage_type(storage.items[1]->text);
        if (!type || !type->is_read)
            fail_tensor(name,
                        {"its storage, a ", python_name(storage.items[1]->text), ", is of a type that isn't read"});
    }

    /// Takes a tensor whose type is checked.
    TENON_COLD void add(const std::string& name, const PickleValue& tensor, std::uint64_t& room, StorageOf storage_of) {
        const auto& arguments = tensor.items[0]->items;
        const PickleValue& storage = *arguments[0]->items[0];
        if (tensors_.entries.size() == max_tensors) throw_error({"expected at most ", max_tensors, " tensors"});
        const StorageType* const type = find_storage_type(storage.items[1]->text);
        const std::span<const std::byte> bytes = storage_of(name, storage);
        const StridedTensor strided{integers(*arguments[2]), integers(*arguments[3]), arguments[1]->integer};
        const std::int64_t count = check_inside(strided, static_cast<std::int64_t>(bytes.size() / type->bytes), name);
        if (is_row_major(strided)) {
            tensors_.entries.push_back(
                {name, type->dtype, strided.shape,
                 bytes.subspan(index(strided.offset) * type->bytes, index(count) * type->bytes)});
            return;
        }
        if (static_cast<std::uint64_t>(count) > room / type->bytes)
            fail_tensor(name, {"the file describes more elements than it holds, as tensors share them; "
                               "save clones of them"});
        room -= static_cast<std::uint64_t>(count) * type->bytes;
        tensors_.entries.push_back({name, type->dtype, strided.shape,
                                    span_of(tensors_.copies.emplace_back(in_row_major(strided, bytes, type->bytes)))});
    }

    TensorsWithCopies tensors_;
};
using PthFile = PthFileOf<>;

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::detail
