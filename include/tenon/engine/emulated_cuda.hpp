#pragma once
// IWYU pragma: private, include <tenon/cuda.hpp>

// EmulatedCuda: the backend Cuda on the host, kernel by kernel in the emulator. For tests: it is about a thousand times
// slower.

#include <memory>

#include <tenon/backend/cuda/driver/emulated_driver.hpp>
#include <tenon/core/moved_from.hpp>
#include <tenon/engine/cuda_runner.hpp>

namespace tenon {

namespace cuda {
inline namespace TENON_ISA_NAMESPACE {

/// Runs one network through CUDA's kernels on the host.
template <class Net, Precision P>
class EmulatedEngine {
public:
    using Scalar = float;
    using Compiled = CompiledNetwork<Net, P>;

    EmulatedEngine(int threads, int images, int device = -1)
        : runner_{std::make_unique<Runner>(images, ChosenDevice{device})} {
        runner_->copy_on(threads);
    }

    void set_parameters(std::span<const float* const> tensors) { runner().set_parameters(tensors); }

    /// Through graphs, as Engine does; with an observer, step by step.
    void run(const float* images, float* results, long count) { runner().run(images, results, count); }
    template <class Observe>
    void run(const float* images, float* results, long count, Observe observe) {
        runner().run_observed(images, results, count, observe);
    }

    void run_bytes(const std::uint8_t* images, const float* scale, float* results, long count) {
        runner().run_bytes(images, scale, results, count);
    }

    void repeat(int size, int times) { runner().repeat(size, times); }

    int threads() const { return 1; }
    cuda::EmulatedDriver& driver() { return runner().driver(); }

private:
    using Runner = NetworkRunner<Net, P, cuda::EmulatedDriver>;

    Runner& runner() {
        check_not_moved_from(runner_ != nullptr, "engine");
        return *runner_;
    }

    std::unique_ptr<Runner> runner_;
};

}  // namespace TENON_ISA_NAMESPACE
}  // namespace cuda

/// `Model<Net, EmulatedCuda<>>` computes what `Model<Net, Cuda>` does, on the host.
template <Precision P = Precision::float32>
struct EmulatedCuda {
    template <class Net>
    using Engine = cuda::EmulatedEngine<Net, P>;
};

}  // namespace tenon
