#pragma once
// IWYU pragma: private, include <tenon/inference.hpp>

// Cuda: the backend that runs a network on a GPU. This header declares it for every compiler; <tenon/cuda.hpp> defines
// it for nvcc, so that a program of .cpp files needs one .cu file (CMake: tenon_instantiate_cuda) and no CUDA header.

#include <cstdint>
#include <memory>
#include <span>

#include <tenon/backend/cuda/plan/provider_counts.hpp>
#include <tenon/core/moved_from.hpp>
#include <tenon/engine/cuda_program.hpp>

namespace tenon {

namespace cuda {

/// Runs one network on a device. Not in the instruction set's namespace: everything that exists at run time
/// is in the file that nvcc compiles. Throws tenon::Error when an engine that was moved from is called.
template <class Net, Precision P>
class Engine {
public:
    static_assert(KernelCheck<Net>::done);
    using Scalar = float;
    using Compiled = CompiledNetwork<Net, P>;

    /// Room for `images` images in flight on the device of a number; -1: the one that is current. Throws tenon::Error,
    /// quoting CUDA, where there is no such device, of compute capability 8.0 or higher, or when its memory is too
    /// small. Up to four of `threads` (0: one per core) copy images to pinned memory.
    Engine(int threads, int images, int device = -1);

    /// Takes the network's parameters; `tensors[i]` points to parameter i.
    void set_parameters(std::span<const float* const> tensors);

    /// Runs `count` images; images and results are in the host's memory.
    void run(const float* images, float* results, long count);

    /// The same for images in bytes, pixel by pixel: the network reads byte * scale + shift. `scale` has one number for
    /// each channel, then the shifts.
    void run_bytes(const std::uint8_t* images, const float* scale, float* results, long count);

    /// The same step by step, without graphs; calls `observe(step)` when a step has finished.
    template <class Observe>
    void run(const float* images, float* results, long count, Observe observe) {
        run_steps(
            images, results, count, [](int step, void* observer) { (*static_cast<Observe*>(observer))(step); },
            &observe);
    }

    /// Runs the `size` images that a call of `run` with exactly `size` images left on the device, `times` more times,
    /// and waits once. Nothing is copied: this measures the device alone.
    void repeat(int size, int times);

    /// Who computes the convolutions of the batches so far: tenon's kernels, or libraries that were found. Sums of two
    /// convolutions are not counted; they are always tenon's.
    ProviderCounts providers() const;

    int threads() const { return 1; }

private:
    struct State;
    /// Deletes what only nvcc's file knows.
    struct DeleteState {
        void operator()(State* state) const;
    };

    State& state() const {
        check_not_moved_from(state_ != nullptr, "engine");
        return *state_;
    }

    void run_steps(const float* images, float* results, long count, void (*observe)(int, void*), void* observer);

    std::unique_ptr<State, DeleteState> state_;
};

}  // namespace cuda

/// The backend CUDA in 32-bit floats: the CPU's results except for the order of sums.
struct Cuda {
    template <class Net>
    using Engine = cuda::Engine<Net, Precision::float32>;
};

/// The backend CUDA in another precision: `Model<Net, CudaWith<Precision::bfloat16>>`.
template <Precision P>
struct CudaWith {
    template <class Net>
    using Engine = cuda::Engine<Net, P>;
};

}  // namespace tenon
