#pragma once
// IWYU pragma: private, include <tenon/training.hpp>

// The norm of all gradients, and clipping by it.

#include <algorithm>
#include <cmath>
#include <span>
#include <vector>

#include <tenon/core/index.hpp>
#include <tenon/core/isa.hpp>
#include <tenon/engine/parameter_runs.hpp>

namespace tenon::detail {
inline namespace TENON_ISA_NAMESPACE {

/// The Euclidean norm of the gradients of all trained parameters. Squares are summed in double in each run, and then
/// over the runs in order, so workers may divide the work.
///
/// Law: bitwise the same for any number of workers (test: tests/train/optimizer_test.cpp).
class GradientNorm {
public:
    explicit GradientNorm(std::span<const ParameterRun> runs) : runs_{runs.begin(), runs.end()}, sums_(runs.size()) {}

    /// Computes the sums in the share of `worker` among `workers`.
    template <class Scalar>
    void accumulate(std::span<const Scalar> gradients, int worker = 0, int workers = 1) {
        const auto count = std::ssize(runs_);
        for (long i = count * worker / workers; i < count * (worker + 1) / workers; ++i) {
            const ParameterRun& run = runs_[index(i)];
            constexpr long width = 8;
            double partial[width]{};
            long k = run.begin;
            for (; k + width <= run.end; k += width)
                for (long lane = 0; lane < width; ++lane) {
                    const auto g = static_cast<double>(gradients[index(k + lane)]);
                    partial[lane] += g * g;
                }
            for (; k < run.end; ++k) {
                const auto g = static_cast<double>(gradients[index(k)]);
                partial[0] += g * g;
            }
            double sum = 0;
            for (const double value : partial) sum += value;
            sums_[index(i)] = sum;
        }
    }

    /// Multiplies the share of `worker` among `workers` by a factor; the shares are those of an optimizer with the same
    /// runs.
    template <class Scalar>
    void scale(std::span<Scalar> gradients, Scalar factor, int worker = 0, int workers = 1) const {
        const auto count = std::ssize(runs_);
        for (long i = count * worker / workers; i < count * (worker + 1) / workers; ++i) {
            const ParameterRun& run = runs_[index(i)];
            for (long k = run.begin; k < run.end; ++k) gradients[index(k)] *= factor;
        }
    }

    /// The norm, once every worker has accumulated.
    double value() const {
        double sum = 0;
        for (const double run : sums_) sum += run;
        return std::sqrt(sum);
    }

private:
    std::vector<ParameterRun> runs_;
    std::vector<double> sums_;
};

/// The factor that makes a gradient's norm at most `largest`; about 1 where it already is. Equals
/// torch.nn.utils.clip_grad_norm_, including its 1e-6.
inline double clipping_factor(double norm, double largest) { return std::min(1.0, largest / (norm + 1e-6)); }

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::detail
