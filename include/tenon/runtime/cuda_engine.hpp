// Cuda: the backend that runs a network on a GPU. This header declares it for every compiler; <tenon/cuda.hpp> defines
// it for nvcc, so that a program of .cpp files needs one .cu file (CMake: tenon_instantiate_cuda) and no CUDA header.
#pragma once

#include <span>
#include <utility>

#include <tenon/core/moved_from.hpp>
#include <tenon/runtime/cuda_program.hpp>

namespace tenon {

/// Runs one network on the current device. Stands outside of the instruction set's namespace: all that exists at run
/// time is in the file that nvcc compiles. An engine that was moved from throws tenon::Error when it is called.
template <class Net, Precision P>
class CudaEngine {
public:
    using Scalar = float;
    using Compiled = CudaProgram<Net, P>;

    /// Room for `images` images in flight. Throws tenon::Error, in CUDA's words, where there is no device of compute
    /// capability 8.0 or more, or when its memory does not suffice. Threads are not used.
    CudaEngine(int threads, int images);
    CudaEngine(CudaEngine&& other) noexcept : state_{std::exchange(other.state_, nullptr)} {}
    CudaEngine& operator=(CudaEngine&& other) noexcept {
        std::swap(state_, other.state_);
        return *this;
    }
    ~CudaEngine();

    /// Takes the network's parameters; `tensors[i]` points to parameter i.
    void set_parameters(std::span<const float* const> tensors);

    /// Runs `count` images, memory of the host before and behind.
    void run(const float* images, float* results, long count);

    /// The same step by step, without graphs; `observe(step)` is called when the step has finished.
    template <class Observe>
    void run(const float* images, float* results, long count, Observe observe) {
        run_steps(
            images, results, count, [](int step, void* observer) { (*static_cast<Observe*>(observer))(step); },
            &observe);
    }

    /// Runs `size` images, which a call of `run` with exactly as many left on the device, `times` times more and waits
    /// once. Nothing is copied: this measures the device alone.
    void repeat(int size, int times);

    int threads() const { return 1; }

private:
    struct State;

    State& state() const {
        detail::check_not_moved_from(state_ != nullptr, "engine");
        return *state_;
    }

    void run_steps(const float* images, float* results, long count, void (*observe)(int, void*), void* observer);

    State* state_ = nullptr;
};

/// The backend CUDA in 32-bit floats: the CPU's answers but for the order of sums.
struct Cuda {
    template <class Net>
    using Engine = CudaEngine<Net, Precision::float32>;
};

/// The backend CUDA in another precision: `Model<Net, CudaWith<Precision::bfloat16>>`.
template <Precision P>
struct CudaWith {
    template <class Net>
    using Engine = CudaEngine<Net, P>;
};

}  // namespace tenon
