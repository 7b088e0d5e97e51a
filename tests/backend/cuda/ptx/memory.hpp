// Memory of the interpreter: bytes, and beside them who wrote and who read them last, so that races and reads of what
// nobody wrote are found.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace ptx {

/// What a kernel did wrong, or what the interpreter doesn't know; the text says where.
class Fault : public std::runtime_error {
    using std::runtime_error::runtime_error;
};

/// Who accessed memory, and when: the launch, the block, the number of barriers that the block has passed (the epoch),
/// and the thread, in 16, 22, 14 and 12 bits. Of 0 nobody did.
///
/// Two accesses of a launch, one of them a write, are ordered if one thread makes both, or one block with a barrier in
/// between, or if atomic operations order their blocks (Order). Everything else is a race.
class Tag {
public:
    static constexpr int thread_bits = 12, epoch_bits = 14, block_bits = 22;
    static constexpr std::uint64_t many_threads = (1u << thread_bits) - 1, many_blocks = (1u << block_bits) - 1;
    static constexpr std::uint64_t in_flight = (1u << epoch_bits) - 1;  ///< the epoch of a copy that is not awaited
    static constexpr std::uint64_t max_launch = (1u << 16) - 1;
    static constexpr std::uint64_t host = 1;  ///< what the host wrote: launch 0

    static constexpr std::uint64_t of(std::uint64_t launch, std::uint64_t block, std::uint64_t epoch,
                                      std::uint64_t thread) {
        return ((launch << block_bits | block) << epoch_bits | epoch) << thread_bits | thread;
    }
    static constexpr bool same_launch(std::uint64_t a, std::uint64_t b) {
        return (a ^ b) >> (block_bits + epoch_bits + thread_bits) == 0;
    }
    /// The same launch and block.
    static constexpr bool same_block(std::uint64_t a, std::uint64_t b) {
        return (a ^ b) >> (epoch_bits + thread_bits) == 0;
    }
    static constexpr std::uint64_t block(std::uint64_t tag) { return tag >> (epoch_bits + thread_bits) & many_blocks; }
    static constexpr std::uint64_t epoch(std::uint64_t tag) { return tag >> thread_bits & in_flight; }
    static constexpr std::uint64_t thread(std::uint64_t tag) { return tag & many_threads; }
    static constexpr std::uint64_t with_thread(std::uint64_t tag, std::uint64_t thread) {
        return (tag & ~many_threads) | thread;
    }
    static constexpr std::uint64_t with_epoch(std::uint64_t tag, std::uint64_t epoch) {
        return (tag & ~(in_flight << thread_bits)) | epoch << thread_bits;
    }
    static constexpr std::uint64_t with_many_blocks(std::uint64_t tag) {
        return tag | many_blocks << (epoch_bits + thread_bits) | many_threads;
    }
    /// Whether an access `mine` is not ordered after an earlier one, of which one writes.
    static constexpr bool race(std::uint64_t earlier, std::uint64_t mine) {
        if (!same_launch(earlier, mine)) return false;
        if (!same_block(earlier, mine) || epoch(earlier) == in_flight) return true;
        return epoch(earlier) == epoch(mine) && thread(earlier) != thread(mine);
    }
};

/// What other blocks wrote that a block may read: of each, what was written before an epoch. An atomic operation that
/// releases publishes what its block wrote before the last barrier, and all that the block may read; one on the same
/// place that acquires, later, takes it over.
class Order {
public:
    void set(std::uint64_t block, std::uint64_t epoch) { epochs_[block] = epoch; }
    void join(const Order& other) {
        for (const auto& [block, epoch] : other.epochs_) {
            std::uint64_t& mine = epochs_[block];
            mine = mine > epoch ? mine : epoch;
        }
    }
    /// Whether a write of the same launch came before.
    bool has(std::uint64_t writer) const {
        const auto found = epochs_.find(Tag::block(writer));
        return found != epochs_.end() && Tag::epoch(writer) < found->second;
    }

private:
    std::map<std::uint64_t, std::uint64_t> epochs_;
};

/// A piece of memory of the device. `begin` is its address there, which the host can't use by mistake.
struct Region {
    static constexpr std::size_t granule = 2;  ///< bytes that share a tag: the smallest number

    Region(std::uint64_t first, std::size_t bytes)
        : begin{first}, size{bytes}, data(bytes), writers((bytes + granule - 1) / granule), readers(writers.size()) {
        std::memset(data.data(), 0xff, bytes);
    }

    std::uint64_t begin;
    std::size_t size;
    int device = 0;  ///< whose memory it is
    std::vector<unsigned char> data;
    std::vector<std::uint64_t> writers, readers;

    bool contains(std::uint64_t address, std::size_t bytes) const {
        return address >= begin && address - begin <= size && size - (address - begin) >= bytes;
    }
    unsigned char* at(std::uint64_t address) { return data.data() + (address - begin); }

    /// Notes a read. Returns what is wrong with it, or null. With `OfBlock`, only what the reader's block wrote counts
    /// as written: shared memory. What `order` has, if there is one, came before.
    template <bool OfBlock>
    const char* read(std::uint64_t address, std::size_t bytes, std::uint64_t mine, const Order* order = nullptr) {
        const std::size_t first = (address - begin) / granule, last = (address - begin + bytes - 1) / granule;
        for (std::size_t i = first; i <= last; ++i) {
            const std::uint64_t writer = writers[i];
            if (writer == 0 || (OfBlock && !Tag::same_block(writer, mine))) return "reads what nobody wrote";
            if (writer != mine && Tag::race(writer, mine) && !(order && order->has(writer)))
                return Tag::epoch(writer) == Tag::in_flight && Tag::same_block(writer, mine)
                           ? "reads what an asynchronous copy may not have written yet"
                           : "reads what another thread wrote without a barrier between them";
            const std::uint64_t reader = readers[i];
            if (reader == mine) continue;
            if (OfBlock ? !Tag::same_block(reader, mine) : !Tag::same_launch(reader, mine))
                readers[i] = mine;
            else if (!Tag::same_block(reader, mine))
                readers[i] = Tag::with_many_blocks(reader);
            else
                readers[i] = Tag::epoch(reader) == Tag::epoch(mine) ? Tag::with_thread(mine, Tag::many_threads) : mine;
        }
        return nullptr;
    }

    /// Notes a write, by `mine`, that is remembered as `tag`.
    template <bool OfBlock>
    const char* write(std::uint64_t address, std::size_t bytes, std::uint64_t mine, std::uint64_t tag) {
        const std::size_t first = (address - begin) / granule, last = (address - begin + bytes - 1) / granule;
        const auto races = [&](std::uint64_t earlier) {
            return earlier != mine && (!OfBlock || Tag::same_block(earlier, mine)) && Tag::race(earlier, mine);
        };
        for (std::size_t i = first; i <= last; ++i) {
            if (races(writers[i])) return "writes what another thread wrote without a barrier between them";
            if (races(readers[i])) return "writes what another thread read without a barrier between them";
            writers[i] = tag;
        }
        return nullptr;
    }

    /// Notes an atomic operation on 4 bytes, which is a race with all other accesses of its launch.
    const char* update(std::uint64_t address, std::uint64_t mine) {
        const std::uint64_t tag = Tag::with_many_blocks(mine);
        const std::size_t first = (address - begin) / granule;
        for (std::size_t i = first; i < first + 4 / granule; ++i) {
            const bool is_atomic = Tag::block(writers[i]) == Tag::many_blocks;
            if (writers[i] == 0) return "changes what nobody wrote";
            if ((Tag::same_launch(writers[i], mine) && !is_atomic) || Tag::same_launch(readers[i], mine))
                return "changes by an atomic operation what is also accessed otherwise";
            writers[i] = tag;
        }
        return nullptr;
    }

    /// The host wrote bytes.
    void write_by_host(std::uint64_t address, const void* from, std::size_t bytes) {
        if (bytes == 0) return;
        std::memcpy(at(address), from, bytes);
        const std::size_t first = (address - begin) / granule, last = (address - begin + bytes - 1) / granule;
        for (std::size_t i = first; i <= last; ++i) writers[i] = Tag::host;
    }

    /// Forgets launches, as their numbers begin again.
    void forget_launches() {
        for (std::uint64_t& writer : writers) writer = writer ? Tag::host : 0;
        for (std::uint64_t& reader : readers) reader = 0;
    }
};

/// The global memory of all devices, which share addresses.
class Memory {
public:
    /// Addresses of the device are no addresses of the host: a host that follows one crashes, as with a device.
    static constexpr std::uint64_t first_address = std::uint64_t{1} << 56;

    std::uint64_t allocate(std::size_t bytes, int device = 0) {
        const std::uint64_t address = next_;
        next_ += (bytes + 2 * gap) / gap * gap;
        regions_.emplace(address, std::make_unique<Region>(address, bytes)).first->second->device = device;
        return address;
    }
    bool release(std::uint64_t address) {
        last_ = nullptr;
        return regions_.erase(address) == 1;
    }

    /// The region that holds all of the bytes, or null.
    Region* find(std::uint64_t address, std::size_t bytes) {
        if (last_ && last_->contains(address, bytes)) return last_;
        auto after = regions_.upper_bound(address);
        if (after == regions_.begin()) return nullptr;
        Region* const region = std::prev(after)->second.get();
        if (!region->contains(address, bytes)) return nullptr;
        return last_ = region;
    }
    void forget_launches() {
        for (const auto& [address, region] : regions_) region->forget_launches();
    }
    std::size_t count() const { return regions_.size(); }

private:
    static constexpr std::uint64_t gap = 256;
    std::map<std::uint64_t, std::unique_ptr<Region>> regions_;
    Region* last_ = nullptr;
    std::uint64_t next_ = first_address;
};

}  // namespace ptx
