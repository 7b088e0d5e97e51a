#pragma once
// IWYU pragma: private, include <tenon/training.hpp>

// Training on the CPU with products of bfloat16: the engine of CpuWith<Precision::bfloat16>.

#include <tenon/backend/cpu/training/bfloat16.hpp>
#include <tenon/engine/cpu_training.hpp>
#include <tenon/engine/cpu_with.hpp>

namespace tenon {

namespace cpu {
inline namespace TENON_ISA_NAMESPACE {

/// The forward program of a network that is trained in bfloat16: each convolution is a step of its own.
template <class Net>
inline constexpr auto bfloat16_training_forward = detail::training_forward_unjoined(lowered<Net>);

/// A network's training program whose products are of bfloat16, its plan and the kernels of its steps.
template <class Net>
struct Bfloat16Training {
    static constexpr DifferentiationOptions options{.spread_strides = true};
    static constexpr auto program = differentiate<training_capacity(bfloat16_training_forward<Net>, options)>(
        bfloat16_training_forward<Net>, options);
    static constexpr auto plan = [] {
        Bfloat16TrainingPlanner planner{program};
        return planner.plan();
    }();
    static constexpr int steps = plan.steps.size();
    static constexpr Precision precision = Precision::bfloat16;

    static constexpr auto functions = []<int... I>(std::integer_sequence<int, I...>) {
        return FixedVector<TrainingFunction, steps>{{bfloat16_training_function<plan, I>()...}, steps};
    }
    (std::make_integer_sequence<int, steps>{});

    static_assert(program.values[program.output].pixels() == 1,
                  "tenon: training by a loss over classes needs a network that ends in a flat vector");
};

/// Computes losses and gradients with products of bfloat16: convolutions and linear layers round what they read, and
/// the gradients that they pass on, to bfloat16; their sums, the parameters and everything else have 32 bits.
///
/// Law: as TrainingEngine's (test: tests/train/bfloat16_test.cpp).
template <class Net>
class Bfloat16TrainingEngine : public TrainingEngine<Net, ConvAlgorithm::exact, Bfloat16Training<Net>> {
public:
    using TrainingEngine<Net, ConvAlgorithm::exact, Bfloat16Training<Net>>::TrainingEngine;
};

}  // namespace TENON_ISA_NAMESPACE
}  // namespace cpu

template <class Net, Precision P>
struct detail::TrainingEngineOf<Net, CpuWith<P>> {
    static_assert(P == Precision::float32 || P == Precision::bfloat16,
                  "tenon: the CPU trains in Precision::float32 and bfloat16");
    using type = cpu::TrainingEngine<Net>;
};
template <class Net>
struct detail::TrainingEngineOf<Net, CpuWith<Precision::bfloat16>> {
    using type = cpu::Bfloat16TrainingEngine<Net>;
};

}  // namespace tenon
