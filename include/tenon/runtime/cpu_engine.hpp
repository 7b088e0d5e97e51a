// Cpu: the backend that runs a network on this machine's vector units, in parallel.
#pragma once

#include <algorithm>

#include <tenon/backend/cpu/pack_weights.hpp>
#include <tenon/backend/cpu/step_function.hpp>
#include <tenon/core/buffer.hpp>
#include <tenon/program/optimize.hpp>
#include <tenon/program/passes/thin_projections.hpp>
#include <tenon/topology/network.hpp>

namespace tenon {

inline namespace TENON_ISA_NAMESPACE {

/// A network's optimised program, its plan for the CPU and the kernels of its steps.
template <class Net, ConvAlgorithm Algorithm = ConvAlgorithm::fast>
struct CpuProgram {
    static constexpr auto program = thin_projections(optimize(lowered<Net>, JoinsUnlessWinograd{Algorithm}));
    static constexpr auto plan = [] {
        constexpr auto plan = CpuPlanner<capacity<Net>>{program, Algorithm}.plan();
        return plan.template trimmed<plan.steps.size(), plan.followers.size(), plan.handovers.size()>();
    }();
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
          arena_{static_cast<std::size_t>(Compiled::plan.arena_floats(images))},
          weights_{static_cast<std::size_t>(Compiled::plan.weight_floats)},
          scratch_{static_cast<std::size_t>(Compiled::plan.scratch_floats * team_.size())} {}

    /// Takes the network's parameters; `tensors[i]` points to parameter i.
    void set_parameters(std::span<const float* const> tensors) {
        std::fill(weights_.begin(), weights_.end(), 0.0f);
        const WeightPacker packer{std::span(lowered<Net>.layers.begin(), lowered<Net>.layers.end()), tensors};
        for (const Step& step : Compiled::plan.steps) packer.pack(step, weights_.data());
        for (const Step& step : Compiled::plan.followers) packer.pack(step, weights_.data());
    }

    /// Runs all steps on `count` images; `observe(step)` is called behind each, so once per image for the steps that
    /// work on one at a time.
    template <class Observe>
    void run(const float* images, float* results, long count, Observe observe) {
        constexpr long inputs = lowered<Net>.values[0].elements();
        constexpr long outputs = lowered<Net>.values[lowered<Net>.output].elements();
        for (long first = 0; first < count; first += images_) {
            const int group = static_cast<int>(std::min<long>(images_, count - first));
            for (int image = 0; image < group && Compiled::plan.joint > 0; ++image) {
                const Frame frame = single_frame(images + (first + image) * inputs);
                for (int i = 0; i < Compiled::plan.joint; ++i) run_step(i, frame, observe);
                hand_over(image);
            }
            const Frame frame = joint_frame(images + first * inputs, results + first * outputs, group);
            for (int i = Compiled::plan.joint; i < Compiled::steps; ++i) run_step(i, frame, observe);
        }
    }

    /// Runs one step of one image on what the arena holds, for measurements.
    void run_step(int step, const float* image, float* results) {
        run_step(step, step < Compiled::plan.joint ? single_frame(image) : joint_frame(image, results, 1), [](int) {});
    }

    int threads() const { return team_.size(); }

private:
    template <class Observe>
    static void run_step(int step, const Frame& frame, Observe observe) {
        Compiled::functions[step](Compiled::plan.steps[step], frame);
        observe(step);
    }

    Frame single_frame(const float* image) {
        return {arena_.data(),
                0,
                weights_.data(),
                image,
                nullptr,
                1,
                &team_,
                scratch_.data(),
                Compiled::plan.scratch_floats,
                Compiled::plan.followers.begin()};
    }

    Frame joint_frame(const float* images, float* results, int count) {
        return {arena_of(0),     Compiled::plan.image_floats,  weights_.data(), images, results, count, &team_,
                scratch_.data(), Compiled::plan.scratch_floats};
    }

    float* arena_of(int image) {
        return arena_.data() + Compiled::plan.single_floats + image * Compiled::plan.image_floats;
    }

    /// Moves what the steps on one image leave to where the steps on all images read it.
    void hand_over(int image) {
        for (const Handover& value : Compiled::plan.handovers)
            std::copy_n(arena_.data() + value.from, value.floats, arena_of(image) + value.to);
    }

    Team team_;
    int images_;
    Buffer<float> arena_;
    Buffer<float> weights_;
    Buffer<float> scratch_;
};

}  // namespace TENON_ISA_NAMESPACE

/// The backend of this machine's processor: NCHW16c, register tiles, oneTBB. Scalars are floats. 3x3 convolutions are
/// computed by Winograd and pointwise ones by Strassen where that is faster; the error stays within 1e-5 of the largest
/// result (test: tests/models, parity with PyTorch).
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
