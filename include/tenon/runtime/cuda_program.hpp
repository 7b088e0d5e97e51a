// A network's program for CUDA: a constant that both compilers see.
#pragma once

#include <tenon/backend/cuda/plan.hpp>
#include <tenon/backend/cuda/precision.hpp>
#include <tenon/program/optimize.hpp>
#include <tenon/topology/network.hpp>

namespace tenon {

/// A network's optimised program and its plan for CUDA.
template <class Net, Precision P>
struct CudaProgram {
    static constexpr auto program = optimize(lowered<Net>);
    static constexpr auto plan = cuda::Planner<capacity<Net>>{program, number_bytes(P)}.plan();
    static constexpr int steps = plan.steps.size();
};

}  // namespace tenon
