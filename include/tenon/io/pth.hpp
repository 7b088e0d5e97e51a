#pragma once
// IWYU pragma: private, include <tenon/inference.hpp>

// Reads PyTorch's weights files: a zip archive (torch.save since version 1.6) of a pickle and one entry per storage.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tenon/core/error.hpp>
#include <tenon/core/isa.hpp>
#include <tenon/io/dtype.hpp>
#include <tenon/io/pickle.hpp>
#include <tenon/io/strided.hpp>
#include <tenon/io/tensor_entry.hpp>
#include <tenon/io/zip_archive.hpp>

namespace tenon::detail {
inline namespace TENON_ISA_NAMESPACE {

/// A state_dict that torch.save wrote, or a checkpoint that holds one under `state_dict` or `model`. Tensors are views
/// into the file; those that were not contiguous are copies. Nothing in the file is executed.
class PthFile {
public:
    /// Whether an archive is one of PyTorch's.
    static bool looks_like(const ZipArchive& archive) { return pickle_of(archive) != nullptr; }

    /// Reads the archive, whose bytes must outlive this object. Throws tenon::Error when it holds anything but a
    /// state_dict.
    explicit PthFile(const ZipArchive& archive) : archive_{archive} {
        const ZipArchive::Entry* const pickle = pickle_of(archive);
        if (!pickle) throw Error("expected an archive with an entry data.pkl");
        folder_ = pickle->name.substr(0, pickle->name.size() - pickle_name.size());
        if (const auto* order = archive.find(folder_ + "byteorder")) {
            const auto bytes = ZipArchive::stored(*order);
            if (std::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size()) != "little")
                throw Error("the weights are stored in big-endian order; expected little-endian");
        }
        PickleReader reader{ZipArchive::stored(*pickle)};
        const PickleValue* weights = &reader.read();
        if (const PickleValue* inner = nested(*weights)) weights = inner;
        if (weights->kind != Kind::dictionary) throw Error("expected a state_dict, a dictionary of tensors");
        for (std::size_t i = 0; i + 1 < weights->items.size(); i += 2) {
            if (weights->items[i]->kind != Kind::text || weights->items[i + 1]->kind != Kind::tensor)
                throw Error(
                    "expected a state_dict, a dictionary of names and tensors; save one with "
                    "torch.save(model.state_dict(), path)");
            add(weights->items[i]->text, *weights->items[i + 1]);
        }
        drop_common_prefix("module.");
    }

    // Tensors may be views of the copies that the object owns; moving leaves these where they are, copying doesn't.
    PthFile(const PthFile&) = delete;
    PthFile& operator=(const PthFile&) = delete;
    PthFile(PthFile&&) = default;

    const std::vector<TensorEntry>& tensors() const { return tensors_; }

private:
    using Kind = PickleValue::Kind;
    static constexpr std::string_view pickle_name = "data.pkl";

    static const ZipArchive::Entry* pickle_of(const ZipArchive& archive) {
        for (const ZipArchive::Entry& entry : archive.entries())
            if (entry.name == pickle_name || entry.name.ends_with("/data.pkl")) return &entry;
        return nullptr;
    }

    /// The state_dict inside a checkpoint that holds more than that; nullptr when there is none.
    static const PickleValue* nested(const PickleValue& value) {
        if (value.kind != Kind::dictionary) return nullptr;
        for (std::size_t i = 0; i + 1 < value.items.size(); i += 2)
            if (value.items[i]->kind == Kind::text &&
                (value.items[i]->text == "state_dict" || value.items[i]->text == "model") &&
                value.items[i + 1]->kind == Kind::dictionary)
                return value.items[i + 1];
        return nullptr;
    }

    static std::optional<DType> dtype_of_storage(std::string_view name) {
        constexpr std::pair<std::string_view, DType> known[] = {
            {"torch FloatStorage", DType::f32}, {"torch DoubleStorage", DType::f64},
            {"torch HalfStorage", DType::f16},  {"torch BFloat16Storage", DType::bf16},
            {"torch LongStorage", DType::i64},  {"torch IntStorage", DType::i32},
            {"torch ShortStorage", DType::i16}, {"torch CharStorage", DType::i8},
            {"torch ByteStorage", DType::u8},   {"torch BoolStorage", DType::boolean}};
        for (const auto& [storage, dtype] : known)
            if (storage == name) return dtype;
        return std::nullopt;
    }

    static std::vector<std::int64_t> integers(const PickleValue& tuple) {
        std::vector<std::int64_t> result;
        result.reserve(tuple.items.size());
        for (const PickleValue* item : tuple.items) result.push_back(item->kind == Kind::integer ? item->integer : -1);
        return result;
    }

    void add(const std::string& name, const PickleValue& tensor) {
        const auto expect = [&](bool condition) {
            if (!condition) throw Error("tensor " + quote_name(name) + ": its description is not one of PyTorch's");
        };
        const auto& arguments = tensor.items[0]->items;  // storage, offset, shape, strides, ...
        expect(arguments.size() >= 4 && arguments[0]->kind == Kind::persistent && arguments[1]->kind == Kind::integer &&
               arguments[2]->kind == Kind::tuple && arguments[3]->kind == Kind::tuple);
        const PickleValue& storage = *arguments[0]->items[0];  // 'storage', type, key, device, elements
        expect(storage.kind == Kind::tuple && storage.items.size() >= 5 && storage.items[1]->kind == Kind::global &&
               storage.items[2]->kind == Kind::text);
        const std::optional<DType> dtype = dtype_of_storage(storage.items[1]->text);
        if (!dtype)
            throw Error("tensor " + quote_name(name) + ": its storage, a " + quote_name(storage.items[1]->text) +
                        ", is of a type that isn't read");
        const auto* const data = archive_.find(folder_ + "data/" + storage.items[2]->text);
        if (!data) throw Error("tensor " + quote_name(name) + ": the archive lacks its storage");
        const auto bytes = ZipArchive::stored(*data);
        const auto size = static_cast<std::size_t>(dtype_bits(*dtype) / 8);
        const StridedTensor strided{integers(*arguments[2]), integers(*arguments[3]), arguments[1]->integer};
        const std::int64_t count = check_inside(strided, static_cast<std::int64_t>(bytes.size() / size), name);
        if (is_row_major(strided)) {
            tensors_.push_back({name, *dtype, strided.shape,
                                bytes.subspan(static_cast<std::size_t>(strided.offset) * size,
                                              static_cast<std::size_t>(count) * size)});
        } else {
            copies_.push_back(in_row_major(strided, bytes, size));
            tensors_.push_back({name, *dtype, strided.shape, copies_.back()});
        }
    }

    /// Removes the word that DataParallel puts before all names.
    void drop_common_prefix(std::string_view prefix) {
        if (tensors_.empty() || !std::all_of(tensors_.begin(), tensors_.end(),
                                             [&](const TensorEntry& entry) { return entry.name.starts_with(prefix); }))
            return;
        for (TensorEntry& entry : tensors_) entry.name.erase(0, prefix.size());
    }

    const ZipArchive& archive_;
    std::string folder_;
    std::deque<std::vector<std::byte>> copies_;
    std::vector<TensorEntry> tensors_;
};

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::detail
