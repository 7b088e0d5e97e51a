// Cpu: the backend that runs a network on this machine's vector units, in parallel.
#pragma once

#include <tenon/backend/cpu/pack_weights.hpp>
#include <tenon/core/buffer.hpp>
#include <tenon/program/optimize.hpp>
#include <tenon/topology/network.hpp>

namespace tenon {

inline namespace TENON_ISA_NAMESPACE {

/// A network's optimised program, its plan for the CPU and the kernels of its steps.
template <class Net, ConvAlgorithm Algorithm = ConvAlgorithm::fast>
struct CpuProgram {
    static constexpr auto program = optimize(lowered<Net>);
    static constexpr auto plan = CpuPlanner<capacity<Net>>{program, Algorithm}.plan();
    static constexpr int steps = plan.steps.size();

    /// The kernels, one per step.
    static constexpr auto functions = []<int... I>(std::integer_sequence<int, I...>) {
        return FixedVector<StepFunction, steps>{{step_function<plan, I>()...}, steps};
    }
    (std::make_integer_sequence<int, steps>{});
};

/// Runs one network on the CPU. All memory is allocated by the constructor.
template <class Net, ConvAlgorithm Algorithm = ConvAlgorithm::fast>
class CpuEngine {
public:
    using Scalar = float;
    using Compiled = CpuProgram<Net, Algorithm>;

    /// Room for `images` images in flight on `threads` threads.
    CpuEngine(int threads, int images)
        : team_{threads},
          images_{images},
          arena_{static_cast<std::size_t>(Compiled::plan.image_floats * images)},
          weights_{static_cast<std::size_t>(Compiled::plan.weight_floats)},
          scratch_{static_cast<std::size_t>(Compiled::plan.scratch_floats * team_.size())} {}

    /// Takes the network's parameters; `tensors[i]` points to parameter i.
    void set_parameters(std::span<const float* const> tensors) {
        std::fill(weights_.begin(), weights_.end(), 0.0f);
        const WeightPacker packer{std::span(lowered<Net>.layers.begin(), lowered<Net>.layers.end()), tensors};
        for (const Step& step : Compiled::plan.steps) packer.pack(step, weights_.data());
    }

    /// Runs all steps on `count` images; `observe(step)` is called behind each.
    template <class Observe>
    void run(const float* images, float* results, long count, Observe observe) {
        team_.execute([&] {
            for (long first = 0; first < count; first += images_) {
                const Frame frame = frame_of(images + first * lowered<Net>.values[0].elements(),
                                             results + first * lowered<Net>.values[lowered<Net>.output].elements(),
                                             static_cast<int>(std::min<long>(images_, count - first)));
                for (int i = 0; i < Compiled::steps; ++i) {
                    Compiled::functions[i](Compiled::plan.steps[i], frame);
                    observe(i);
                }
            }
        });
    }

    /// Runs one step of one image on what the arena holds, for measurements; inside execute().
    void run_step(int step, const float* image, float* results) {
        Compiled::functions[step](Compiled::plan.steps[step], frame_of(image, results, 1));
    }

    /// Calls f on the engine's threads.
    template <class F>
    void execute(F&& f) {
        team_.execute(f);
    }

    int threads() const { return team_.size(); }

private:
    Frame frame_of(const float* images, float* results, int count) {
        return {arena_.data(),   Compiled::plan.image_floats,  weights_.data(), images, results, count, &team_,
                scratch_.data(), Compiled::plan.scratch_floats};
    }

    Team team_;
    int images_;
    Buffer<float> arena_;
    Buffer<float> weights_;
    Buffer<float> scratch_;
};

}  // namespace TENON_ISA_NAMESPACE

/// The backend of this machine's processor: NCHW16c, register tiles, oneTBB. Scalars are floats. 3x3 convolutions are
/// computed by Winograd where that is faster; the error stays within 1e-5 of the largest result (test: tests/models,
/// parity with PyTorch).
struct Cpu {
    template <class Net>
    using Engine = CpuEngine<Net, ConvAlgorithm::fast>;
};

/// The same with every convolution as a plain sum of products.
struct ExactCpu {
    template <class Net>
    using Engine = CpuEngine<Net, ConvAlgorithm::exact>;
};

}  // namespace tenon
