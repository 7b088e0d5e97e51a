#pragma once
// IWYU pragma: private, include <tenon/training.hpp>

// Which device an engine is on.

#include <string>

#include <tenon/core/error.hpp>
#include <tenon/core/isa.hpp>

namespace tenon::cuda {

/// A device by CUDA's number; -1: the one that is current in the thread that constructs an engine.
struct ChosenDevice {
    int number = -1;
};

inline namespace TENON_ISA_NAMESPACE {

/// The number of a chosen device among `devices`, of which `current` is current. Throws tenon::Error where there is
/// none of that number.
template <class Once = void>
int number_of(ChosenDevice chosen, int current, int devices) {
    if (chosen.number == -1) return current;
    if (chosen.number >= 0 && chosen.number < devices) return chosen.number;
    throw Error("the backend Cuda has no device " + std::to_string(chosen.number) + ": it found " +
                std::to_string(devices) + ", numbered from 0; -1 is the current one");
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::cuda
