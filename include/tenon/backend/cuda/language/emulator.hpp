#pragma once
// IWYU pragma: private, include <tenon/cuda.hpp>

// The emulator: runs a CUDA kernel on the host, block by block, so that what a kernel computes can be tested anywhere.
//
// A kernel is a struct with an `Arguments`, a `Shared`, a `Registers`, the number of `threads` of a block, and
//
//     template <class Block> TENON_DEVICE static void run(Block& block, const Arguments& arguments);
//
// that consists of phases: block.threads(f) calls f(thread, registers) for each thread, block.warps(f) calls f(warp)
// for each warp, and both end with a barrier. Between phases there is only code that is the same for all threads. On
// the device a phase is the body and __syncthreads() (thread_block.hpp); here it is a loop over the threads.
//
// Found: results that depend on the order of blocks or threads, memory that is read before it is written (shared
// memory, registers and outputs hold NaNs at first), asynchronous copies that nobody waited for, misaligned copies,
// and, with sanitizers, accesses out of bounds. Not found: races inside a phase that the chosen order does not show.

#include <array>
#include <cstdint>
#include <cstring>
#include <memory>
#include <numeric>
#include <vector>

#include <tenon/backend/cuda/language/number.hpp>
#include <tenon/core/error.hpp>
#include <tenon/core/index.hpp>

namespace tenon::cuda {
inline namespace TENON_ISA_NAMESPACE {

/// A permutation of 0 .. size - 1 that needs no memory.
class Shuffle {
public:
    Shuffle(long size, std::uint64_t seed) : size_{size}, step_{1}, first_{0} {
        if (size < 2 || seed == 0) return;
        first_ = static_cast<long>(seed * 0x9e3779b97f4a7c15u >> 33) % size;
        step_ = static_cast<long>(seed * 0xd1342543de82ef95u >> 33) % size;
        while (std::gcd(step_, size) != 1) step_ = step_ % size + 1;
    }
    long operator()(long i) const { return (first_ + i * step_) % size_; }

private:
    long size_, step_, first_;
};

/// A block of a kernel on the host; on the device DeviceBlock has the same functions.
template <class Kernel>
class EmulatedBlock {
public:
    using Registers = typename Kernel::Registers;
    using Shared = typename Kernel::Shared;

    EmulatedBlock(Grid index, Grid grid, std::uint64_t seed)
        : index_{index}, grid_{grid}, seed_{seed}, registers_(Kernel::threads), copies_(Kernel::threads) {
        std::memset(static_cast<void*>(registers_.data()), 0xff, sizeof(Registers) * registers_.size());
        shared_ = static_cast<Shared*>(::operator new (sizeof(Shared), std::align_val_t{128}));
        std::memset(static_cast<void*>(shared_), 0xff, sizeof(Shared));
    }
    EmulatedBlock(const EmulatedBlock&) = delete;
    EmulatedBlock& operator=(const EmulatedBlock&) = delete;
    ~EmulatedBlock() { ::operator delete (shared_, std::align_val_t{128}); }

    const Grid& index() const { return index_; }
    const Grid& grid() const { return grid_; }
    Shared& shared() { return *shared_; }

    /// A phase of threads.
    template <class F>
    void threads(const F& f) {
        const Shuffle shuffle{Kernel::threads, seed_++};
        for (int i = 0; i < Kernel::threads; ++i) {
            const int thread = static_cast<int>(shuffle(i));
            f(thread, registers_[detail::index(thread)]);
        }
    }

    /// 32 threads that run in lockstep.
    class Warp {
    public:
        Warp(EmulatedBlock& block, int index) : block_{block}, index_{index} {}
        int index() const { return index_; }

        /// Calls f(thread, registers) for each lane; thread % 32 is the lane.
        template <class F>
        void lanes(const F& f) {
            const Shuffle shuffle{32, block_.seed_++};
            for (int i = 0; i < 32; ++i) {
                const int thread = index_ * 32 + static_cast<int>(shuffle(i));
                f(thread, registers(thread % 32));
            }
        }

        /// ldmatrix.x4: four matrices of 8 rows of 16 bytes; address(thread) is row thread % 8 of matrix thread % 32
        /// / 8. Lane l receives word l % 4 of row l / 4 of each.
        template <class Address, class Select>
        void load_matrices(const Address& address, const Select& select) {
            const auto rows = matrix_rows(address);
            for (int lane = 0; lane < 32; ++lane) {
                std::uint32_t(&words)[4] = select(registers(lane));
                for (std::size_t m = 0; m < 4; ++m)
                    std::memcpy(&words[m], rows[8 * m + detail::index(lane / 4)] + lane % 4 * 4, 4);
            }
        }

        /// ldmatrix.x4.trans: the same of the transposed matrices of 16-bit numbers. Lane l receives column l / 4 of
        /// rows l % 4 * 2 and the next, as one word of each.
        template <class Address, class Select>
        void load_transposed_matrices(const Address& address, const Select& select) {
            const auto rows = matrix_rows(address);
            for (int lane = 0; lane < 32; ++lane) {
                std::uint32_t(&words)[4] = select(registers(lane));
                for (std::size_t m = 0; m < 4; ++m) {
                    std::uint16_t halves[2];
                    for (std::size_t i = 0; i < 2; ++i)
                        std::memcpy(&halves[i], rows[8 * m + detail::index(lane % 4 * 2) + i] + lane / 4 * 2, 2);
                    std::memcpy(&words[m], halves, 4);
                }
            }
        }

        /// mma.sync: sums (16 x 8) += a (16 x K) * b (K x 8) with K of 32 bytes, spread over the lanes as PTX says.
        /// select(registers) gives the parts of a lane: {float (&sums)[4], uint32 (&a)[4], uint32 b0, b1}.
        template <Precision P, class Select>
        void multiply_add(const Select& select) {
            constexpr int depth = 32 / number_bytes(P), per_word = 4 / number_bytes(P);
            float a[16][depth], b[8][depth];
            const auto unpack = [](std::uint32_t word, float* to) {
                if constexpr (number_bytes(P) == 4) {
                    *to = float_of_bits(word & ~0x1fffu);  // a tensor core ignores the other bits
                } else {
                    to[0] = to_float(Number<P>{static_cast<std::uint16_t>(word)});
                    to[1] = to_float(Number<P>{static_cast<std::uint16_t>(word >> 16)});
                }
            };
            for (int lane = 0; lane < 32; ++lane) {
                const auto part = select(registers(lane));
                const int group = lane / 4, k = lane % 4 * per_word;
                unpack(part.a[0], &a[group][k]);
                unpack(part.a[1], &a[group + 8][k]);
                unpack(part.a[2], &a[group][k + depth / 2]);
                unpack(part.a[3], &a[group + 8][k + depth / 2]);
                unpack(part.b0, &b[group][k]);
                unpack(part.b1, &b[group][k + depth / 2]);
            }
            for (int lane = 0; lane < 32; ++lane) {
                const auto part = select(registers(lane));
                for (int i = 0; i < 4; ++i) {
                    const int row = lane / 4 + i / 2 * 8, column = lane % 4 * 2 + i % 2;
                    float sum = 0;
                    for (int k = 0; k < depth; ++k) sum += a[row][k] * b[column][k];
                    part.sums[i] += sum;
                }
            }
        }

    private:
        /// The rows whose addresses the lanes give to ldmatrix.
        template <class Address>
        std::array<const unsigned char*, 32> matrix_rows(const Address& address) const {
            std::array<const unsigned char*, 32> rows;
            for (int lane = 0; lane < 32; ++lane) {
                rows[detail::index(lane)] = static_cast<const unsigned char*>(address(index_ * 32 + lane));
                if (reinterpret_cast<std::uintptr_t>(rows[detail::index(lane)]) % 16 != 0)
                    throw Error("a kernel loads a matrix whose rows are not aligned to 16 bytes");
            }
            return rows;
        }
        Registers& registers(int lane) { return block_.registers_[detail::index(index_ * 32 + lane)]; }
        EmulatedBlock& block_;
        int index_;
    };

    /// A phase of warps.
    template <class F>
    void warps(const F& f) {
        constexpr int count = Kernel::threads / 32;
        const Shuffle shuffle{count, seed_++};
        for (int i = 0; i < count; ++i) {
            Warp warp{*this, static_cast<int>(shuffle(i))};
            f(warp);
        }
    }

    /// cp.async: copies `Bytes` to shared memory, or zeros if not `valid`, some time before wait() returns.
    template <int Bytes>
    void copy_async(int thread, void* to, const void* from, bool valid) {
        static_assert(Bytes == 4 || Bytes == 8 || Bytes == 16);
        if (reinterpret_cast<std::uintptr_t>(to) % Bytes != 0 || reinterpret_cast<std::uintptr_t>(from) % Bytes != 0)
            throw Error("a kernel copies " + std::to_string(Bytes) + " bytes between misaligned addresses");
        copies(thread).pending.push_back({to, from, Bytes, valid});
    }
    /// Closes a group of copies.
    void commit(int thread) { copies(thread).groups.push_back(copies(thread).pending.size()); }
    /// Waits for all of the thread's groups except the `Newest` last ones. Others see the copies after the phase.
    template <int Newest>
    void wait(int thread) {
        Copies& mine = copies(thread);
        if (mine.groups.size() <= Newest) return;
        const std::size_t end = mine.groups[mine.groups.size() - 1 - Newest];
        for (; mine.done < end; ++mine.done) {
            const Copy& copy = mine.pending[mine.done];
            if (copy.valid)
                std::memcpy(copy.to, copy.from, detail::index(copy.bytes));
            else
                std::memset(copy.to, 0, detail::index(copy.bytes));
        }
    }

    /// Counts the blocks that come here; they run one after another.
    unsigned take_ticket(unsigned* counter, unsigned last) {
        const unsigned ticket = *counter;
        *counter = ticket >= last ? 0 : ticket + 1;
        return ticket;
    }

private:
    struct Copy {
        void* to;
        const void* from;
        int bytes;
        bool valid;
    };
    struct Copies {
        std::vector<Copy> pending;
        std::vector<std::size_t> groups;  ///< where each group ends
        std::size_t done = 0;
    };

    Copies& copies(int thread) { return copies_[detail::index(thread)]; }

    Grid index_, grid_;
    std::uint64_t seed_;
    Shared* shared_;
    std::vector<Registers> registers_;
    std::vector<Copies> copies_;
};

/// Runs all blocks of a kernel. With seed 0, blocks and threads run in order; other seeds shuffle them.
template <class Kernel>
void emulate(Grid grid, const typename Kernel::Arguments& arguments, std::uint64_t seed) {
    const long count = long{grid.x} * grid.y * grid.z;
    const Shuffle shuffle{count, seed};
    for (long i = 0; i < count; ++i) {
        const long at = shuffle(i);
        const Grid index{static_cast<int>(at % grid.x), static_cast<int>(at / grid.x % grid.y),
                         static_cast<int>(at / grid.x / grid.y)};
        EmulatedBlock<Kernel> block{index, grid, seed == 0 ? 0 : seed + static_cast<std::uint64_t>(i)};
        Kernel::run(block, arguments);
    }
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::cuda
