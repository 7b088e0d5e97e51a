#pragma once
// IWYU pragma: private, include <tenon/inference.hpp>

// CpuWith: the CPU backend in a chosen precision.

#include <tenon/backend/shared/precision.hpp>
#include <tenon/engine/cpu_calibrator.hpp>

namespace tenon {

/// The CPU backend in a precision: `Model<Net, CpuWith<Precision::bfloat16>>`. float32 is Cpu itself; int8 needs the
/// ranges that its Calibrator measures. CUDA has the other precisions.
template <Precision P>
struct CpuWith {
    static_assert(P == Precision::float32,
                  "tenon: the CPU computes in Precision::float32, bfloat16 and int8; the others are CUDA's");
    template <class Net>
    using Engine = cpu::Engine<Net>;
};
template <>
struct CpuWith<Precision::bfloat16> {
    template <class Net>
    using Engine = cpu::Bfloat16Engine<Net>;
};
template <>
struct CpuWith<Precision::int8> {
    template <class Net>
    using Engine = cpu::Int8Engine<Net>;

    /// Measures the ranges that a network needs.
    template <class Net>
    using Calibrator = cpu::Calibrator<Net>;
};

}  // namespace tenon
