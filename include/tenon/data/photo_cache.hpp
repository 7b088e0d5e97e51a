// What a PhotoDataset keeps of its photos: decoded ones, up to a number of bytes.
#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include <tenon/core/isa.hpp>
#include <tenon/image/image.hpp>

namespace tenon {
inline namespace TENON_ISA_NAMESPACE {
namespace detail {

/// Decoded photos by their position, of at most a number of bytes in all. All functions but `keep_only` may be called
/// from several threads at a time.
///
/// Nothing that is kept is dropped for something else. An epoch reads each photo once in random order, so of n photos
/// of which k fit this answers k of n reads, and no rule that drops photos answers more; the least recently used one,
/// say, is dropped shortly before it is read again. And what never goes away can be read without a lock.
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

    /// The photo at a position, valid as long as the cache; nullptr if it isn't kept.
    const Image* find(std::size_t position) const { return entries_[position].load(std::memory_order_acquire); }

    /// Keeps a photo, if there is room and nobody else kept it meanwhile.
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
            entry.release();
        } else {
            bytes_.fetch_sub(size, std::memory_order_relaxed);
        }
    }

    /// Forgets all positions but the given ones, in increasing order, which become 0, 1, ...
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

    /// Bytes that the kept photos take.
    std::size_t bytes() const { return bytes_.load(std::memory_order_relaxed); }
    std::size_t photos() const { return photos_.load(std::memory_order_relaxed); }
    std::size_t limit() const { return limit_; }

    static std::size_t bytes_of(const Image& photo) { return photo.pixels().size() + sizeof(Image); }

private:
    std::vector<std::atomic<const Image*>> entries_;
    std::size_t limit_;
    std::atomic<std::size_t> bytes_ = 0, photos_ = 0;
};

}  // namespace detail
}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon
