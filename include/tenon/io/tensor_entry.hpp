#pragma once
// IWYU pragma: private, include <tenon/inference.hpp>

// One named tensor of a file: its type, shape and bytes, and checked ways to read its values.

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <tenon/core/cold.hpp>
#include <tenon/core/error.hpp>
#include <tenon/core/isa.hpp>
#include <tenon/core/math.hpp>
#include <tenon/core/sentence.hpp>
#include <tenon/core/span_of.hpp>
#include <tenon/io/dtype.hpp>
#include <tenon/io/json.hpp>

namespace tenon {
inline namespace TENON_ISA_NAMESPACE {

/// A tensor in a file, or one to be written: row-major, little-endian elements. The bytes are not owned, and need not
/// be aligned for the element type: copy them, as SafetensorsFile::values does.
struct TensorEntry {
    std::string name;
    DType dtype = DType::f32;
    std::vector<std::int64_t> shape;  ///< empty for a scalar; a dimension may be 0
    std::span<const std::byte> bytes;
};

}  // namespace TENON_ISA_NAMESPACE

namespace detail {
inline namespace TENON_ISA_NAMESPACE {

/// More tensors than any network's weights, and as many dimensions as NumPy's arrays may have: a file that lists more
/// is refused before the list is kept, which takes some 600 bytes for a tensor (tensor_file_test's test of a file's
/// lists).
inline constexpr std::size_t max_tensors = 100'000, max_dimensions = 64;

/// `[64, 3, 7, 7]`.
template <class Once = void>
TENON_COLD std::string shape_to_string(std::span<const std::int64_t> shape) {
    std::string text = "[";
    for (std::size_t i = 0; i < shape.size(); ++i) {
        if (i == 16) return joined({text, ", ... (", shape.size(), " dimensions)]"});
        if (i > 0) text += ", ";
        SentencePart{shape[i]}.append_to(text);
    }
    return text.append("]");
}

/// The number of elements of a tensor of this shape; nothing when a dimension is negative or the product exceeds an
/// int64.
template <class Once = void>
std::optional<std::int64_t> element_count(std::span<const std::int64_t> shape) {
    std::int64_t count = 1;
    for (const std::int64_t dimension : shape) {
        if (dimension < 0) return std::nullopt;
        if (dimension > 0 && count > std::numeric_limits<std::int64_t>::max() / dimension) return std::nullopt;
        count *= dimension;
    }
    return count;
}

/// Throws tenon::Error: `tensor "NAME": `, and the parts of what is wrong with it.
template <class Once = void>
[[noreturn]] TENON_COLD void fail_tensor(std::string_view name, std::initializer_list<SentencePart> what) {
    throw_error({"tensor ", quote_name(name), ": ", joined(what)});
}

/// Throws tenon::Error unless the shape is valid and `bytes` is exactly as long as dtype and shape demand.
template <class Once = void>
void check_size(const TensorEntry& tensor) {
    const auto fail = [&](std::string_view what) {
        fail_tensor(tensor.name,
                    {dtype_name(tensor.dtype), " of shape ", shape_to_string(span_of(tensor.shape)), " ", what});
    };
    const std::optional<std::int64_t> count = element_count(span_of(tensor.shape));
    const std::int64_t bits = dtype_bits(tensor.dtype);
    if (!count || *count > std::numeric_limits<std::int64_t>::max() / bits)
        fail("has a negative dimension or more elements than can be addressed");
    if (*count * bits % 8 != 0) fail("does not fill whole bytes");
    if (const std::int64_t expected = *count * bits / 8; static_cast<std::uint64_t>(expected) != tensor.bytes.size())
        fail(joined({"takes ", expected, " bytes, found ", tensor.bytes.size()}));
}

/// Throws tenon::Error, naming the tensor and both shapes, unless its shape is `expected`.
template <class Once = void>
void expect_shape(const TensorEntry& tensor, std::span<const std::int64_t> expected) {
    bool is_equal = expected.size() == tensor.shape.size();
    for (std::size_t i = 0; is_equal && i < expected.size(); ++i) is_equal = expected[i] == tensor.shape[i];
    if (!is_equal)
        fail_tensor(tensor.name,
                    {"expected shape ", shape_to_string(expected), ", found ", shape_to_string(span_of(tensor.shape))});
}

/// Throws tenon::Error, naming the tensor and both dtypes.
template <class Once = void>
[[noreturn]] TENON_COLD void fail_dtype(const TensorEntry& tensor, std::string_view expected) {
    fail_tensor(tensor.name, {"expected dtype ", expected, ", found ", dtype_name(tensor.dtype)});
}

/// Throws tenon::Error, naming the tensor, unless it is valid and has this number of elements.
template <class Once = void>
void expect_room(const TensorEntry& tensor, std::size_t elements) {
    check_size(tensor);
    if (const auto count = static_cast<std::uint64_t>(*element_count(span_of(tensor.shape))); count != elements)
        fail_tensor(tensor.name, {"has ", count, " elements (shape ", shape_to_string(span_of(tensor.shape)),
                                  "), the destination ", elements});
}

/// Element `i` of bytes that may be misaligned.
template <class Stored>
Stored load_element(std::span<const std::byte> bytes, std::size_t i) {
    Stored value;
    std::memcpy(&value, bytes.data() + i * sizeof(Stored), sizeof(Stored));
    return value;
}

/// Copies the elements of a tensor whose dtype is exactly that of T. Throws tenon::Error when the dtype differs or
/// `values` is not as long as the tensor; `values` is then unchanged.
template <Element T>
void read_elements(const TensorEntry& tensor, std::span<T> values) {
    if (tensor.dtype != dtype_of<T>) fail_dtype(tensor, dtype_name(dtype_of<T>));
    expect_room(tensor, values.size());
    if (!values.empty()) std::memcpy(values.data(), tensor.bytes.data(), tensor.bytes.size());
}

/// Throws tenon::Error unless the dtype is one that to_float converts.
template <class Once = void>
void expect_floating(const TensorEntry& tensor) {
    if (tensor.dtype != DType::f32 && tensor.dtype != DType::f64 && tensor.dtype != DType::f16 &&
        tensor.dtype != DType::bf16)
        fail_dtype(tensor, "F32, F64, F16 or BF16");
}

/// Reads a tensor of F32, F64, F16 or BF16 as float; F64 is rounded to nearest. Throws tenon::Error when the dtype is
/// another, `values` is not as long as the tensor, or a finite F64 is beyond float's range; `values` is then unchanged.
template <class Once = void>
[[gnu::noinline]] void to_float(const TensorEntry& tensor, std::span<float> values) {
    expect_floating(tensor);
    expect_room(tensor, values.size());
    const auto convert = [&]<class Stored>(Stored, auto value_of) {
        for (std::size_t i = 0; i < values.size(); ++i) values[i] = value_of(load_element<Stored>(tensor.bytes, i));
    };
    switch (tensor.dtype) {
        case DType::f16:
            return convert(std::uint16_t{}, half_to_float);
        case DType::bf16:
            return convert(std::uint16_t{}, bfloat16_to_float);
        case DType::f64:
            break;
        default:
            return read_elements(tensor, values);
    }
    // From here on, half a unit in the last place past the largest float, doubles round to infinity.
    constexpr double limit = 0x1.ffffffp127;
    for (std::size_t i = 0; i < values.size(); ++i) {
        const double value = load_element<double>(tensor.bytes, i);
        if (detail::isfinite(value) && detail::abs(value) >= limit)
            fail_tensor(tensor.name, {"element ", i, " is beyond the range of float"});
    }
    convert(double{}, [](double value) { return static_cast<float>(value); });
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace detail

}  // namespace tenon
