#pragma once
// IWYU pragma: private, include <tenon/data.hpp>

// SampleDraws: the random numbers of one image in one epoch; permutations.

#include <cstddef>
#include <cstdint>
#include <numeric>
#include <string_view>
#include <utility>
#include <vector>

#include <tenon/core/isa.hpp>
#include <tenon/core/random.hpp>

namespace tenon::detail {
inline namespace TENON_ISA_NAMESPACE {

/// An integer in [0, count) from 64 random bits, 1 <= count < 2^32.
constexpr std::uint32_t random_below(std::uint64_t bits, std::uint32_t count) {
    return static_cast<std::uint32_t>((bits >> 32) * count >> 32);
}

/// Random numbers that belong to an image in an epoch and to a purpose.
///
/// Law: draw `index` is a function of seed, epoch, sample, purpose and index alone, so an image is augmented in the
/// same way whichever thread prepares it, and whenever. (test: tests/data/augment_test.cpp)
class SampleDraws {
public:
    /// `sample` is the image's position in its data set.
    constexpr SampleDraws(std::uint64_t seed, long epoch, long sample)
        : seed_{seed}, epoch_{epoch}, sample_{sample}, stream_{stream_of(0)} {}

    constexpr long epoch() const { return epoch_; }

    /// The draws of the same image for a purpose.
    constexpr SampleDraws for_purpose(std::string_view name, std::uint64_t position = 0) const {
        return with_stream(hash_name(name) + position * golden_step, epoch_);
    }
    /// The draws of the same image and purpose that are the same in every epoch.
    constexpr SampleDraws for_all_epochs() const { return with_stream(purpose_, -1); }

    /// A number in [low, high), see uniform() in core/random.hpp.
    constexpr double uniform(std::uint64_t index, double low, double high) const {
        return detail::uniform(random_bits(seed_, stream_, index), low, high);
    }
    /// An integer in [0, count).
    constexpr int below(std::uint64_t index, int count) const {
        return static_cast<int>(random_below(random_bits(seed_, stream_, index), static_cast<std::uint32_t>(count)));
    }

private:
    constexpr SampleDraws with_stream(std::uint64_t purpose, long epoch) const {
        SampleDraws draws = *this;
        draws.purpose_ = purpose;
        draws.stream_ = draws.stream_of(purpose, epoch);
        return draws;
    }
    constexpr std::uint64_t stream_of(std::uint64_t purpose) const { return stream_of(purpose, epoch_); }
    constexpr std::uint64_t stream_of(std::uint64_t purpose, long epoch) const {
        const auto step = [](std::uint64_t key, long value) {
            return mix(key + (static_cast<std::uint64_t>(value) + 2) * golden_step);
        };
        return step(step(mix(purpose + golden_step), epoch), sample_);
    }

    std::uint64_t seed_;
    long epoch_, sample_;
    std::uint64_t purpose_ = 0;
    std::uint64_t stream_;
};

/// The numbers 0 to count - 1 in random order (Fisher and Yates): a function of its arguments. `count` < 2^32.
template <class Once = void>
std::vector<std::uint32_t> permutation(std::size_t count, std::uint64_t seed, std::uint64_t stream) {
    std::vector<std::uint32_t> order(count);
    std::iota(order.begin(), order.end(), 0U);
    for (std::size_t i = count; i > 1; --i)
        std::swap(order[i - 1], order[random_below(random_bits(seed, stream, i), static_cast<std::uint32_t>(i))]);
    return order;
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::detail
