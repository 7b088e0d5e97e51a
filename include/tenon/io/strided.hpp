#pragma once
// IWYU pragma: private, include <tenon/inference.hpp>

// Stored tensors whose elements are not in row-major order: their strides, and a copy in row-major order.

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <list>
#include <span>
#include <string>
#include <vector>

#include <tenon/core/cold.hpp>
#include <tenon/core/error.hpp>
#include <tenon/core/index.hpp>
#include <tenon/core/isa.hpp>
#include <tenon/core/sentence.hpp>
#include <tenon/core/span_of.hpp>
#include <tenon/io/tensor_entry.hpp>

namespace tenon::detail {
inline namespace TENON_ISA_NAMESPACE {

/// Where the elements of a tensor are in a storage: element (i, j, ...) is at offset + i * strides[0] + j * strides[1]
/// + ... All numbers count elements.
struct StridedTensor {
    std::vector<std::int64_t> shape, strides;
    std::int64_t offset = 0;
};

/// Tensors of a file, and the copies that those of them are views of which the file has in another order.
struct TensorsWithCopies {
    std::vector<TensorEntry> entries;
    std::list<std::vector<std::byte>> copies;  // a list: they stay where they are
};

/// Whether the elements are consecutive in row-major order; strides of dimensions of size 1 don't matter. Shape {2, 3}:
/// strides {3, 1} -> true, {1, 2} -> false (the transpose of a 3 x 2 tensor).
template <class Once = void>
TENON_COLD bool is_row_major(const StridedTensor& tensor) {
    if (element_count(span_of(tensor.shape)).value_or(0) == 0) return true;  // and the product below can't overflow
    std::int64_t expected = 1;
    for (std::size_t i = tensor.shape.size(); i-- > 0;) {
        if (tensor.shape[i] != 1 && tensor.strides[i] != expected) return false;
        expected *= tensor.shape[i];
    }
    return true;
}

/// The number of elements. Throws tenon::Error, naming the tensor, unless the shape is valid and all elements are
/// inside a storage of `available` elements. Their number may be more than that: with strides of 0 elements are
/// repeated.
template <class Once = void>
TENON_COLD std::int64_t check_inside(const StridedTensor& tensor, std::int64_t available, const std::string& name) {
    const auto fail = [&](std::initializer_list<SentencePart> what) { fail_tensor(name, what); };
    const auto count = element_count(span_of(tensor.shape));
    if (!count || tensor.shape.size() != tensor.strides.size()) fail({"its shape or strides are not valid"});
    bool repeats = false;
    for (const std::int64_t stride : tensor.strides) repeats = repeats || stride == 0;
    if (tensor.offset < 0 || tensor.offset > available || (*count > available && !repeats))
        fail({"its ", *count, " elements from the ", tensor.offset, "th on are more than the ", available,
              " of its storage"});
    if (*count == 0) return 0;
    std::int64_t last = tensor.offset;
    for (std::size_t i = 0; i < tensor.shape.size(); ++i) {
        const std::int64_t steps = tensor.shape[i] - 1, stride = tensor.strides[i];
        if (steps == 0) continue;
        if (stride < 0 || stride > (available - last) / steps) fail({"its strides lead outside its storage"});
        last += steps * stride;
    }
    if (last >= available) fail({"its strides lead outside its storage"});
    return *count;
}

/// The elements in row-major order. Precondition: check_inside accepted the tensor.
///
/// Example: storage a b c d e f, shape {2, 3}, strides {1, 2}, offset 0 -> a c e b d f.
template <class Once = void>
std::vector<std::byte> in_row_major(const StridedTensor& tensor, std::span<const std::byte> storage,
                                    std::size_t element_size) {
    const auto count = index(*element_count(span_of(tensor.shape)));
    std::vector<std::byte> result(count * element_size);
    std::vector<std::int64_t> index(tensor.shape.size(), 0);
    std::int64_t at = tensor.offset;
    for (std::size_t i = 0; i < count; ++i) {
        std::memcpy(result.data() + i * element_size, storage.data() + detail::index(at) * element_size, element_size);
        for (std::size_t d = index.size(); d-- > 0;) {
            if (tensor.shape[d] == 1) continue;  // its stride may be anything
            at += tensor.strides[d];
            if (++index[d] < tensor.shape[d]) break;
            at -= tensor.strides[d] * tensor.shape[d];
            index[d] = 0;
        }
    }
    return result;
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::detail
