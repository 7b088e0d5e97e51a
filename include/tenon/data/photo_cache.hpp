#pragma once
// IWYU pragma: private, include <tenon/image.hpp>

// The decoded photos that a PhotoDataset caches, up to a number of bytes.

#include <atomic>
#include <cstddef>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include <tenon/core/isa.hpp>
#include <tenon/image/image.hpp>

namespace tenon::detail {
inline namespace TENON_ISA_NAMESPACE {

/// Decoded photos by their position, of at most `limit` bytes in all. All functions except keep_only() may be called by
/// several threads at once.
///
/// No photo is evicted for another. An epoch reads each photo once in random order, so with room for k of n photos k of
/// n reads hit, and no rule that evicts photos hits more: the least recently used one, say, would be evicted shortly
/// before it is read again. And what is never evicted can be read without a lock.
///
/// Law: bytes() <= the limit at every moment. (test: tests/data/photo_dataset_test.cpp)
class PhotoCache {
public:
    PhotoCache(std::size_t photos, std::size_t limit) : entries_(photos), limit_{limit} {}
    PhotoCache(const PhotoCache&) = delete;
    PhotoCache& operator=(const PhotoCache&) = delete;
    ~PhotoCache() {
        for (const auto& entry : entries_) delete entry.load(std::memory_order_relaxed);
    }

    /// The photo at a position, valid while the cache exists; nullptr when it isn't cached.
    const Image* find(std::size_t position) const { return entries_[position].load(std::memory_order_acquire); }

    /// Caches a photo, if there is room and no other thread has cached it meanwhile.
    template <class Once = void>
    void keep(std::size_t position, Image&& photo) {
        const std::size_t size = bytes_of(photo);
        std::size_t used = bytes_.load(std::memory_order_relaxed);
        do {
            if (size > limit_ || used > limit_ - size) return;
        } while (!bytes_.compare_exchange_weak(used, used + size, std::memory_order_relaxed));
        auto entry = std::make_unique<const Image>(std::move(photo));
        const Image* nothing = nullptr;
        if (entries_[position].compare_exchange_strong(nothing, entry.get(), std::memory_order_acq_rel)) {
            photos_.fetch_add(1, std::memory_order_relaxed);
            static_cast<void>(entry.release());  // now the array's
        } else {
            bytes_.fetch_sub(size, std::memory_order_relaxed);
        }
    }

    /// Drops the photos at all positions except the given ones, which are in increasing order and become 0, 1, ...
    template <class Once = void>
    void keep_only(std::span<const std::size_t> positions) {
        std::vector<std::atomic<const Image*>> left(positions.size());
        for (std::size_t i = 0; i < positions.size(); ++i) left[i] = entries_[positions[i]].exchange(nullptr);
        for (auto& entry : entries_)
            if (const std::unique_ptr<const Image> dropped{entry.exchange(nullptr)}) {
                bytes_ -= bytes_of(*dropped);
                --photos_;
            }
        entries_.swap(left);
    }

    /// The bytes that the cached photos take.
    std::size_t bytes() const { return bytes_.load(std::memory_order_relaxed); }
    std::size_t photos() const { return photos_.load(std::memory_order_relaxed); }
    std::size_t limit() const { return limit_; }

    static std::size_t bytes_of(const Image& photo) { return photo.pixels().size() + sizeof(Image); }

private:
    std::vector<std::atomic<const Image*>> entries_;
    std::size_t limit_;
    std::atomic<std::size_t> bytes_ = 0, photos_ = 0;
};

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::detail
