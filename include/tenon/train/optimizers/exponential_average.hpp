#pragma once
// IWYU pragma: private, include <tenon/training.hpp>

// The exponential moving average of parameters and running statistics, which often performs better than they do.

#include <algorithm>

#include <tenon/train/optimizers/optimizer.hpp>

namespace tenon {

/// Options of the moving average of parameters (EMA).
struct AverageOptions {
    double decay = 0.999;  ///< share of the average that an update keeps
    bool warm_up = true;   ///< decay by at most (1 + n) / (10 + n) in the n-th update, so that the start is forgotten
    int every = 1;         ///< iterations between two updates
};

namespace detail {
inline namespace TENON_ISA_NAMESPACE {

/// average = decay * average + (1 - decay) * value, for all parameters and also the running statistics of batch norms.
/// The average itself belongs to the caller, who initializes it as a copy of the values.
class ExponentialAverage {
public:
    /// Throws tenon::Error for a decay outside [0, 1) or less than one iteration between updates.
    explicit ExponentialAverage(const AverageOptions& options) : options_{options} {
        check_rate(options.decay, "moving average's decay", 1);
        if (options.every < 1)
            throw Error("a moving average is updated every 1 or more steps, not " + std::to_string(options.every));
    }

    /// Whether iteration number `step`, counted from 1, updates the average.
    bool updates(long step) const { return step % options_.every == 0; }

    /// The decay of the update after iteration number `step`.
    double decay(long step) const {
        const auto update = static_cast<double>(step / options_.every);
        return options_.warm_up ? std::min(options_.decay, (1 + update) / (10 + update)) : options_.decay;
    }

    /// Computes the share of `worker` among `workers` of the update after a step; bitwise the same for any number of
    /// workers.
    template <class Scalar>
    void update(std::span<Scalar> average, std::span<const Scalar> values, long step, int worker = 0,
                int workers = 1) const {
        constexpr long grain = 64;
        const auto kept = static_cast<Scalar>(decay(step)), taken = static_cast<Scalar>(1 - decay(step));
        const long size = std::ssize(values), blocks = (size + grain - 1) / grain;
        const long begin = blocks * worker / workers * grain,
                   end = std::min(blocks * (worker + 1) / workers * grain, size);
        using Block = ScalarBlock<Scalar>;
        update_blocks<Scalar>(
            end - begin, [&](Block& mean, const Block& value) { mean = kept * mean + taken * value; },
            average.data() + begin, values.data() + begin);
    }

    std::string identity() const {
        return "decay=" + exact_text(options_.decay) + (options_.warm_up ? " warm_up" : "") +
               " every=" + std::to_string(options_.every);
    }

private:
    AverageOptions options_;
};

}  // namespace TENON_ISA_NAMESPACE
}  // namespace detail

}  // namespace tenon
