#pragma once
// IWYU pragma: private, include <tenon/inference.hpp>

// Reads NumPy's archives of arrays: a zip archive of .npy files, as numpy.savez writes them.

#include <cstddef>
#include <cstdint>
#include <cstring>
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
#include <tenon/core/sentence.hpp>
#include <tenon/core/span_of.hpp>
#include <tenon/io/dtype.hpp>
#include <tenon/io/strided.hpp>
#include <tenon/io/tensor_entry.hpp>
#include <tenon/io/zip_archive.hpp>

namespace tenon::detail {
inline namespace TENON_ISA_NAMESPACE {

/// What the header of a .npy file says, and where its elements begin.
struct NpyHeader {
    DType dtype = DType::f32;
    bool column_major = false;
    std::vector<std::int64_t> shape;
    std::size_t data = 0;
};

/// The text after `'key':` in the header's Python dictionary.
template <class Once = void>
TENON_COLD std::string_view npy_field(std::string_view header, std::string_view key) {
    const std::string quoted = joined({"'", key, "':"});
    const std::size_t found = header.find(quoted);
    if (found == std::string_view::npos) throw_error({"the header lacks ", quoted.substr(0, quoted.size() - 1)});
    std::string_view rest = header.substr(found + quoted.size());
    while (rest.starts_with(' ')) rest.remove_prefix(1);
    return rest;
}

/// The element type that `descr` states. Throws tenon::Error when it isn't a little-endian number or boolean.
template <class Once = void>
TENON_COLD DType npy_dtype(std::string_view text) {
    constexpr std::pair<std::string_view, DType> known[] = {
        {"'<f4'", DType::f32}, {"'<f8'", DType::f64}, {"'<f2'", DType::f16}, {"'<i8'", DType::i64},
        {"'<i4'", DType::i32}, {"'<i2'", DType::i16}, {"'|i1'", DType::i8},  {"'|u1'", DType::u8},
        {"'<u2'", DType::u16}, {"'<u4'", DType::u32}, {"'<u8'", DType::u64}, {"'|b1'", DType::boolean}};
    for (const auto& [name, dtype] : known)
        if (text.starts_with(name)) return dtype;
    throw_error({"its elements are ", quote_name(text.substr(0, text.find(',', 1))),
                 "; expected little-endian numbers, such as '<f4'"});
}

/// The shape that a Python tuple states: `(64, 3)` -> {64, 3}. Throws tenon::Error when it isn't one.
template <class Once = void>
TENON_COLD std::vector<std::int64_t> npy_shape(std::string_view text) {
    const std::size_t end = text.find(')');
    if (!text.starts_with('(') || end == std::string_view::npos) throw Error("its shape is not a tuple");
    std::vector<std::int64_t> shape;
    std::uint64_t dimension = 0;
    bool is_inside = false;  // of a number
    for (const char c : text.substr(1, end)) {
        const bool is_digit = c >= '0' && c <= '9';
        if (!is_digit && is_inside) shape.push_back(static_cast<std::int64_t>(std::exchange(dimension, 0)));
        if ((!is_digit && c != ' ' && c != ',' && c != ')') || (is_digit && !append_digit(dimension, c)) ||
            dimension > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()))
            throw Error("its shape is not a tuple of sizes");
        is_inside = is_digit;
        if (shape.size() > max_dimensions) throw_error({"expected at most ", max_dimensions, " dimensions"});
    }
    return shape;
}

/// Reads the header of a .npy file. Throws tenon::Error when the file is of another format or its elements are not
/// numbers.
template <class Once = void>
TENON_COLD NpyHeader read_npy_header(std::span<const std::byte> bytes) {
    const auto* const raw = reinterpret_cast<const char*>(bytes.data());
    if (bytes.size() < 12 || std::memcmp(raw, "\x93NUMPY", 6) != 0)
        throw Error("it does not begin as a .npy file does");
    const int version = static_cast<unsigned char>(raw[6]);
    if (version < 1 || version > 3) throw_error({"its version is ", version, ", not 1 to 3"});
    std::uint32_t length = 0;
    std::memcpy(&length, raw + 8, version == 1 ? 2 : 4);
    const std::size_t begin = version == 1 ? 10 : 12;
    if (length > bytes.size() - begin) throw Error("it is truncated");
    const std::string_view header(raw + begin, length);
    if (!is_utf8(header)) throw Error("its header is not UTF-8");
    return {npy_dtype(npy_field(header, "descr")), npy_field(header, "fortran_order").starts_with("True"),
            npy_shape(npy_field(header, "shape")), begin + length};
}

/// The arrays of a .npz file, under their names without `.npy`. Arrays are views into the file; those in column-major
/// order are copies.
template <class Once = void>
class NpzFileOf {
public:
    /// Whether an archive holds arrays.
    TENON_COLD static bool looks_like(const ZipArchive& archive) {
        for (const ZipArchive::Entry& entry : archive.entries())
            if (entry.name.ends_with(ending)) return true;
        return false;
    }

    /// Reads the archive, whose bytes must outlive this object. Throws tenon::Error, naming the entry, when one is
    /// compressed, damaged or holds anything but numbers.
    TENON_COLD explicit NpzFileOf(const ZipArchive& archive) {
        for (const ZipArchive::Entry& entry : archive.entries()) {
            const auto bytes = ZipArchive::stored(entry);
            try {
                if (!entry.name.ends_with(ending)) throw Error("expected only .npy files");
                add(entry.name.substr(0, entry.name.size() - ending.size()), bytes);
            } catch (const Error& error) {
                throw_error({"the entry ", quote_name(entry.name), " of the archive: ", error.what()});
            }
        }
    }

    // Tensors may be views of the copies that the object owns; moving leaves these where they are, copying doesn't.
    NpzFileOf(const NpzFileOf&) = delete;
    NpzFileOf& operator=(const NpzFileOf&) = delete;
    NpzFileOf(NpzFileOf&&) noexcept = default;

    const std::vector<TensorEntry>& tensors() const { return tensors_.entries; }

    /// The tensors and the copies, which this object then has no more.
    TensorsWithCopies take() { return std::move(tensors_); }

private:
    static constexpr std::string_view ending = ".npy";

    TENON_COLD void add(std::string name, std::span<const std::byte> bytes) {
        const NpyHeader header = read_npy_header(bytes);
        const auto data = bytes.subspan(header.data);
        TensorEntry entry{std::move(name), header.dtype, header.shape, data};
        check_size(entry);
        if (header.column_major) {
            StridedTensor strided{header.shape, {}, 0};
            std::int64_t stride = 1;
            for (const std::int64_t dimension : header.shape) {
                strided.strides.push_back(std::int64_t{stride});
                stride *= dimension;
            }
            const auto size = index(dtype_bits(header.dtype) / 8);
            entry.bytes = span_of(tensors_.copies.emplace_back(in_row_major(strided, data, size)));
        }
        tensors_.entries.push_back(std::move(entry));
    }

    TensorsWithCopies tensors_;
};
using NpzFile = NpzFileOf<>;

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::detail
