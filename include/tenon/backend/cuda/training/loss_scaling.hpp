#pragma once
// IWYU pragma: private, include <tenon/cuda.hpp>

// Gradients of a scaled loss: they are divided by the scale, which then changes depending on whether they overflowed.

#include <tenon/backend/cuda/training/loss.hpp>
#include <tenon/backend/shared/loss_scale.hpp>

namespace tenon::cuda {

/// The scalars of the division's call.
struct UnscaleArguments {
    float* gradients = nullptr;
    long count = 0;
    const LossScale* scale = nullptr;
    int* overflows = nullptr;  ///< [block]: how many gradients are infinite or NaN
};

/// The scalars of the call that changes the scale.
struct MoveScaleArguments {
    const ImageLoss* losses = nullptr;
    int images = 1;
    const int* overflows = nullptr;
    int blocks = 1;  ///< the number of blocks that counted overflows
    LossScale* scale = nullptr;
    float growth = 1, backoff = 1;
    int interval = 1;
};

inline namespace TENON_ISA_NAMESPACE {

/// Divides all gradients by the scale and counts those that overflowed; one block per stretch of the array.
struct UnscaleKernel {
    static constexpr const char* name = "unscale";
    static constexpr int threads = 256;
    static constexpr long stretch = 8192;
    using Arguments = UnscaleArguments;
    using Registers = Nothing;
    struct Shared {
        int overflows[threads];
    };

    template <class Block>
    TENON_DEVICE static void run(Block& block, const Arguments& arguments) {
        Shared& shared = block.shared();
        const long begin = block.index().x * stretch, rest = arguments.count - begin;
        const long end = begin + (rest < stretch ? rest : stretch);
        block.threads([&](int thread, Registers&) {
            const float factor = 1 / arguments.scale->scale;
            int overflows = 0;
            for (long i = begin + thread; i < end; i += threads) {
                const float gradient = arguments.gradients[i] * factor;
                if (!is_finite(gradient)) ++overflows;
                arguments.gradients[i] = gradient;
            }
            shared.overflows[thread] = overflows;
        });
        add_threads(block, shared.overflows, threads);
        block.threads([&](int thread, Registers&) {
            if (thread == 0) arguments.overflows[block.index().x] = shared.overflows[0];
        });
    }

    static Grid grid(long count) { return {static_cast<int>(blocks_of(count, stretch)), 1, 1}; }
};

/// Changes the scale; one block. After a loss that is infinite or NaN it stays, as no scale would have helped.
struct MoveScaleKernel {
    static constexpr const char* name = "move_scale";
    static constexpr int threads = 256;
    using Arguments = MoveScaleArguments;
    using Registers = Nothing;
    struct Shared {
        double losses[threads];
        int overflows[threads];
    };

    template <class Block>
    TENON_DEVICE static void run(Block& block, const Arguments& arguments) {
        Shared& shared = block.shared();
        block.threads([&](int thread, Registers&) {
            int overflows = 0;
            for (int i = thread; i < arguments.blocks; i += threads) overflows += arguments.overflows[i];
            shared.overflows[thread] = overflows;
            shared.losses[thread] = thread_loss(thread, threads, arguments.losses, arguments.images);
        });
        add_threads(block, shared.losses, threads);
        add_threads(block, shared.overflows, threads);
        block.threads([&](int thread, Registers&) {
            if (thread == 0) *arguments.scale = moved(arguments, is_finite(shared.losses[0]), shared.overflows[0] > 0);
        });
    }

    static Grid grid(const Arguments&) { return {1, 1, 1}; }

private:
    TENON_DEVICE static LossScale moved(const Arguments& arguments, bool loss_is_finite, bool overflowed) {
        LossScale next = *arguments.scale;
        next.overflowed = loss_is_finite && overflowed ? 1 : 0;
        if (!loss_is_finite) return next;
        if (overflowed) {
            const float smaller = next.scale * arguments.backoff;
            next.scale = smaller > min_loss_scale ? smaller : min_loss_scale;
            next.good_steps = 0;
        } else if (++next.good_steps >= arguments.interval) {
            const float larger = next.scale * arguments.growth;
            if (is_finite(larger)) next.scale = larger;
            next.good_steps = 0;
        }
        return next;
    }
};

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::cuda
