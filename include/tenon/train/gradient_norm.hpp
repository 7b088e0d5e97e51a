// The norm of all gradients, and clipping by it.
#pragma once

#include <cmath>
#include <span>
#include <vector>

#include <tenon/core/isa.hpp>
#include <tenon/train/parameter_runs.hpp>

namespace tenon {
inline namespace TENON_ISA_NAMESPACE {

/// The Euclidean norm of the gradients of all trained parameters. Squares are summed in double, run by run, and then
/// over the runs in their order, so ranks may share the work.
///
/// Law: bitwise the same for any number of ranks (test: tests/train/optimizer_test.cpp).
class GradientNorm {
public:
    explicit GradientNorm(std::span<const ParameterRun> runs) : runs_{runs.begin(), runs.end()}, sums_(runs.size()) {}

    /// Sums up the share of `rank` among `ranks`.
    template <class Scalar>
    void accumulate(std::span<const Scalar> gradients, int rank = 0, int ranks = 1) {
        const auto count = static_cast<long>(runs_.size());
        for (long i = count * rank / ranks; i < count * (rank + 1) / ranks; ++i) {
            const ParameterRun& run = runs_[static_cast<std::size_t>(i)];
            constexpr long width = 8;
            double partial[width]{};
            long k = run.begin;
            for (; k + width <= run.end; k += width)
                for (long lane = 0; lane < width; ++lane) {
                    const auto g = static_cast<double>(gradients[static_cast<std::size_t>(k + lane)]);
                    partial[lane] += g * g;
                }
            for (; k < run.end; ++k) {
                const auto g = static_cast<double>(gradients[static_cast<std::size_t>(k)]);
                partial[0] += g * g;
            }
            double sum = 0;
            for (const double value : partial) sum += value;
            sums_[static_cast<std::size_t>(i)] = sum;
        }
    }

    /// Multiplies the share of `rank` among `ranks` by a factor; the shares are those of an optimizer of the same runs.
    template <class Scalar>
    void scale(std::span<Scalar> gradients, Scalar factor, int rank = 0, int ranks = 1) const {
        const auto count = static_cast<long>(runs_.size());
        for (long i = count * rank / ranks; i < count * (rank + 1) / ranks; ++i) {
            const ParameterRun& run = runs_[static_cast<std::size_t>(i)];
            for (long k = run.begin; k < run.end; ++k) gradients[static_cast<std::size_t>(k)] *= factor;
        }
    }

    /// The norm, once every rank has accumulated.
    double value() const {
        double sum = 0;
        for (const double run : sums_) sum += run;
        return std::sqrt(sum);
    }

private:
    std::vector<ParameterRun> runs_;
    std::vector<double> sums_;
};

/// What gradients of a norm are multiplied by so that it is at most `largest`; 1 if it is. Equals
/// torch.nn.utils.clip_grad_norm_, its 1e-6 included.
inline double clipping_factor(double norm, double largest) { return std::min(1.0, largest / (norm + 1e-6)); }

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon
