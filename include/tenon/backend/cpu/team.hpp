// A team of threads that works on one step at a time: oneTBB in a task arena of its own.
#pragma once

#include <algorithm>
#include <thread>
#include <type_traits>

#include <tbb/parallel_for.h>
#include <tbb/task_arena.h>

#include <tenon/core/error.hpp>
#include <tenon/core/isa.hpp>

namespace tenon {
inline namespace TENON_ISA_NAMESPACE {

/// A half-open range of indices.
struct Range {
    int begin = 0, end = 0;
    bool empty() const { return begin >= end; }
};

/// The share of `rank` among `size` in [0, count): contiguous, the larger shares first.
inline Range share(int count, int rank, int size) {
    const int base = count / size, extra = count % size;
    const int begin = rank * base + std::min(rank, extra);
    return {begin, begin + base + (rank < extra ? 1 : 0)};
}

/// A fixed number of ranks that run the same function, each on its share. The split is static, so which rank computes
/// what depends on the number of threads alone, and what is computed does not depend on it at all.
class Team {
public:
    /// `threads` of 0 means one per core this process may use. Throws tenon::Error for a negative number.
    explicit Team(int threads) : arena_{checked(threads)}, size_{checked(threads)} {}

    int size() const { return size_; }

    /// Runs a whole sequence of steps inside the arena.
    template <class F>
    void execute(F&& f) {
        if (size_ == 1)
            f();
        else
            arena_.execute(f);
    }

    /// Calls f(rank, size) once for each rank, at the same time, and returns when all have. Only inside execute().
    template <class F>
    void run(const F& f) const {
        run_erased([](const void* context, int rank, int size) { (*static_cast<const F*>(context))(rank, size); }, &f);
    }

private:
    static int checked(int threads) {
        if (threads < 0)
            throw Error("a model cannot run on " + std::to_string(threads) +
                        " threads; give 1 or more, or 0 for all cores");
        return threads > 0 ? threads : std::max(1, tbb::this_task_arena::max_concurrency());
    }

    /// One instantiation of oneTBB's templates for all steps: they cost more to compile than the kernels.
    void run_erased(void (*function)(const void*, int, int), const void* context) const {
        if (size_ == 1) return function(context, 0, 1);
        tbb::parallel_for(
            0, size_, [&](int rank) { function(context, rank, size_); }, tbb::static_partitioner{});
    }

    tbb::task_arena arena_;
    int size_;
};

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon
