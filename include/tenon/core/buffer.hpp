#pragma once
// IWYU pragma: private, include <tenon/inference.hpp>

// An aligned block of memory for an arena: allocated once, zeroed, on huge pages where it is large.

#include <cstddef>
#include <new>
#include <span>
#include <utility>

#include <sys/mman.h>

#include <tenon/core/error.hpp>
#include <tenon/core/isa.hpp>
#include <tenon/core/round.hpp>
#include <tenon/core/sentence.hpp>

namespace tenon::detail {
inline namespace TENON_ISA_NAMESPACE {

/// Owns zeroed memory for `size` scalars, aligned to a page. Memory is mapped, not touched: pages that are never used
/// cost nothing. Large buffers ask for huge pages, which spares the translation of a hundred megabytes of weights.
template <class Scalar>
class Buffer {
public:
    Buffer() = default;

    /// Throws tenon::Error when the system refuses the memory.
    explicit Buffer(std::size_t size) : size_{size} {
        if (size == 0) return;
        void* memory = ::mmap(nullptr, bytes(), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (memory == MAP_FAILED) throw_error({"cannot allocate ", bytes(), " bytes of memory for a network"});
#ifdef MADV_HUGEPAGE
        if (bytes() >= huge_page) ::madvise(memory, bytes(), MADV_HUGEPAGE);
#endif
        data_ = static_cast<Scalar*>(memory);
    }

    ~Buffer() {
        if (data_) ::munmap(data_, bytes());
    }

    Buffer(Buffer&& other) noexcept
        : data_{std::exchange(other.data_, nullptr)}, size_{std::exchange(other.size_, 0)} {}
    Buffer& operator=(Buffer&& other) noexcept {
        std::swap(data_, other.data_);
        std::swap(size_, other.size_);
        return *this;
    }

    /// The bytes that a buffer of `size` scalars maps: whole pages.
    static constexpr std::size_t mapped_bytes(std::size_t size) {
        const std::size_t needed = size * sizeof(Scalar);
        const std::size_t unit = needed >= huge_page ? huge_page : 4096;
        return round_up(needed, unit);
    }

    Scalar* data() { return data_; }
    const Scalar* data() const { return data_; }
    std::size_t size() const { return size_; }
    Scalar* begin() { return data_; }
    Scalar* end() { return data_ + size_; }
    const Scalar* begin() const { return data_; }
    const Scalar* end() const { return data_ + size_; }
    operator std::span<Scalar>() { return {data_, size_}; }
    operator std::span<const Scalar>() const { return {data_, size_}; }

private:
    static constexpr std::size_t huge_page = std::size_t{2} << 20;

    std::size_t bytes() const { return mapped_bytes(size_); }

    Scalar* data_ = nullptr;
    std::size_t size_ = 0;
};

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::detail
