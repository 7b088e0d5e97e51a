#pragma once
// IWYU pragma: private, include <tenon/cuda.hpp>

// What the kernels that multiply matrices have in common: a block's tile of the result, the parts of it that warps and
// threads compute, and tiles of the depth that are multiplied while the next ones are being loaded into shared memory.

#include <tenon/backend/cuda/language/number.hpp>
#include <tenon/backend/cuda/language/thread_block.hpp>

namespace tenon::cuda {
inline namespace TENON_ISA_NAMESPACE {

/// The tiles of the depth that one of several blocks sums up.
struct DepthShare {
    int begin, end;

    TENON_DEVICE static DepthShare of(int tiles, int split, int splits) {
        return {static_cast<int>(long{tiles} * split / splits), static_cast<int>(long{tiles} * (split + 1) / splits)};
    }
};

/// Whether a block is the last of the `splits` that share a tile of the result: then all of its threads may load what
/// the others stored before they asked. `counter` is the tile's, 0 before and after; `ticket` is in shared memory.
template <class Block>
TENON_DEVICE bool comes_last(Block& block, unsigned* counter, int splits, unsigned& ticket) {
    const auto last = static_cast<unsigned>(splits - 1);
    block.threads([&](int thread, auto&) {
        if (thread == 0) ticket = block.take_ticket(counter, last);
    });
    return ticket == last;
}

/// A tile of Rows x Columns sums. With tensor cores, each warp computes WarpRows x WarpColumns of them, in products of
/// 16 x 8; without, each of 16 x 16 threads computes the same number of sums.
template <Precision P, int Rows, int Columns, int WarpRows, int WarpColumns>
struct ProductTile {
    static constexpr bool tensor_cores = P != Precision::float32;
    static constexpr int mma_rows = tensor_cores ? WarpRows / 16 : 1;
    static constexpr int mma_columns = tensor_cores ? WarpColumns / 8 : 2;
    static constexpr int warps_across = tensor_cores ? Columns / WarpColumns : 1;
    static constexpr int thread_rows = Rows / 16, thread_columns = Columns / 16;
    static constexpr int sums = tensor_cores ? mma_rows * mma_columns * 4 : thread_rows * thread_columns;

    /// A thread's sums, and its elements of both operands.
    struct Registers {
        float sum[sums / 4][4];
        std::uint32_t a[mma_rows][4], b[mma_columns / 2][4];  // of the tensor cores
    };

    /// Sums up the tiles of a share of the depth: start(thread, registers) places a thread at the first tile,
    /// load(thread, registers, stage) starts loading the next one, multiply(warp, stage) adds a tile's products to the
    /// sums. The caller still has to call block.wait<0>() afterwards.
    template <class Block, class Stage, int Stages, class Start, class Load, class Multiply>
    TENON_DEVICE static void run(Block& block, Stage (&stages)[Stages], DepthShare share, const Start& start,
                                 const Load& load, const Multiply& multiply) {
        block.threads([&](int thread, auto& registers) {
            TENON_CUDA_UNROLL
            for (int i = 0; i < sums; ++i) registers.sum[i / 4][i % 4] = 0;
            start(thread, registers);
        });
        // The first passes only load, so that the code that loads is there once: it is half of the kernel.
        int computed = 0, loaded = 0;
        for (int at = share.begin - (Stages - 1); at < share.end; ++at) {
            block.warps([&](auto& warp) {
                warp.lanes([&](int thread, auto& registers) {
                    if (at + Stages - 1 < share.end) load(thread, registers, stages[loaded]);
                    block.commit(thread);
                });
                if (at >= share.begin) multiply(warp, stages[computed]);
                warp.lanes([&](int thread, auto&) { block.template wait<Stages - 2>(thread); });
            });
            if (at >= share.begin) computed = computed + 1 == Stages ? 0 : computed + 1;
            loaded = loaded + 1 == Stages ? 0 : loaded + 1;
        }
    }

    /// The first row and column of a warp's part.
    TENON_DEVICE static int first_row(int warp) { return warp / warps_across * WarpRows; }
    TENON_DEVICE static int first_column(int warp) { return warp % warps_across * WarpColumns; }

    /// Adds the products of the lanes' parts of a and b to the sums.
    template <class Warp>
    TENON_DEVICE static void multiply_add(Warp& warp) {
        TENON_CUDA_UNROLL
        for (int i = 0; i < mma_rows; ++i) {
            TENON_CUDA_UNROLL
            for (int j = 0; j < mma_columns; ++j)
                warp.template multiply_add<P>([&](auto& registers) {
                    return Fragments{registers.sum[i * mma_columns + j], registers.a[i], registers.b[j / 2][j % 2 * 2],
                                     registers.b[j / 2][j % 2 * 2 + 1]};
                });
        }
    }

    /// Calls f(row, column, sum) for those of a tensor core's sums that a thread holds.
    template <class F>
    TENON_DEVICE static void each_sum(int thread, const Registers& registers, const F& f) {
        const int warp = thread / 32, lane = thread % 32;
        const int row = first_row(warp) + lane / 4, column = first_column(warp) + lane % 4 * 2;
        TENON_CUDA_UNROLL
        for (int i = 0; i < mma_rows; ++i) {
            TENON_CUDA_UNROLL
            for (int j = 0; j < mma_columns; ++j) {
                TENON_CUDA_UNROLL
                for (int l = 0; l < 4; ++l)
                    f(row + i * 16 + l / 2 * 8, column + j * 8 + l % 2, registers.sum[i * mma_columns + j][l]);
            }
        }
    }

private:
    /// The parts that a lane holds of one product on a tensor core.
    struct Fragments {
        float (&sums)[4];
        std::uint32_t (&a)[4];
        std::uint32_t b0, b1;
    };
};

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::cuda
