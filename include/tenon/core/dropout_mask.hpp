#pragma once
// IWYU pragma: private, include <tenon/training.hpp>

// Which features a dropout drops: a function of seed, layer, image and feature, so it is the same in any order, on any
// number of threads, and when it is recomputed.

#include <tenon/core/random.hpp>

namespace tenon::detail {
inline namespace TENON_ISA_NAMESPACE {

/// The mask of one dropout in one training iteration.
class DropoutMask {
public:
    /// `layer` is the layer's index in the program; `seed` is the iteration's.
    DropoutMask(std::uint64_t seed, int layer, double rate) : seed_{seed}, stream_{stream_of(layer)}, rate_{rate} {}

    /// The stream of random numbers of a layer.
    static constexpr std::uint64_t stream_of(int layer) { return mix(static_cast<std::uint64_t>(layer) + 1); }

    /// What a feature is multiplied by: 0 or 1 / (1 - rate). `index` counts the batch's features, image by image, in
    /// the order channel, row, column.
    double operator()(long index) const {
        const double drawn = uniform(random_bits(seed_, stream_, static_cast<std::uint64_t>(index)), 0, 1);
        return drawn < rate_ ? 0 : 1 / (1 - rate_);
    }

private:
    std::uint64_t seed_, stream_;
    double rate_;
};

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::detail
