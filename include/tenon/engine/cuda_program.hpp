#pragma once
// IWYU pragma: private, include <tenon/inference.hpp>

// A network's program for CUDA: a constant that both compilers see.

#include <tenon/backend/cuda/plan/plan.hpp>
#include <tenon/backend/shared/precision.hpp>
#include <tenon/program/passes/optimize.hpp>
#include <tenon/topology/network.hpp>

namespace tenon::cuda {

/// The static_assert of a network that CUDA can't run, in a class of its own, so that nothing cascades.
template <class Net>
struct KernelCheck {
    static constexpr bool done = true;  // first: Clang leaves out what follows an assertion that fails
    static_assert(!lowered<Net>.has_functions(),
                  "tenon: CUDA has no kernel for the function that Elementwise was given; an operation of the library "
                  "has one (docs/how_to/add_a_layer.md)");
};

/// A network's optimized program and its plan for CUDA.
template <class Net, Precision P>
struct CompiledNetwork {
    static_assert(KernelCheck<Net>::done);
    static constexpr auto program = optimize(lowered<Net>);
    static constexpr auto plan = cuda::Planner<capacity<Net>>{program, number_bytes(P)}.plan();
    static constexpr int steps = plan.steps.size();
};

}  // namespace tenon::cuda
