#pragma once
// IWYU pragma: private, include <tenon/training.hpp>

// Adam with decoupled weight decay (Loshchilov and Hutter 2019), and Adam with the coupled one.

#include <cmath>

#include <tenon/train/optimizers/optimizer.hpp>

namespace tenon {

/// Options of AdamW; the defaults are torch's except for the roles that decay. Equals torch.optim.AdamW with
/// `decayed = DecayedRoles::all()`, and torch.optim.Adam with `decoupled = false`. Keras' epsilon is 1e-7.
struct AdamWOptions {
    double learning_rate = 1e-3;
    double beta1 = 0.9, beta2 = 0.999;  ///< shares that the means of gradients and of their squares keep
    double epsilon = 1e-8;              ///< added to the root of the mean square
    double weight_decay = 1e-2;         ///< see `decoupled`
    bool decoupled = true;              ///< p -= rate * decay * p; otherwise g += decay * p
    DecayedRoles decayed{};             ///< which parameters decay

    /// Throws tenon::Error for options that are not valid rates.
    template <class Scalar>
    auto make(std::vector<detail::ParameterRun> runs, long scalars) const;
};

inline namespace TENON_ISA_NAMESPACE {

/// AdamW with two slots, the means of gradients and of their squares.
template <class Scalar>
class AdamW final : public detail::Optimizer<Scalar> {
public:
    AdamW(const AdamWOptions& options, std::vector<detail::ParameterRun> runs, long scalars)
        : detail::Optimizer<Scalar>{std::move(runs), scalars, 2}, options_{options} {
        detail::check_rate(options.learning_rate, "learning rate");
        detail::check_rate(options.beta1, "beta1", 1);
        detail::check_rate(options.beta2, "beta2", 1);
        detail::check_rate(options.epsilon, "epsilon");
        detail::check_rate(options.weight_decay, "weight decay");
    }

    std::string identity() const override {
        return std::string(options_.decoupled ? "adamw" : "adam") +
               " learning_rate=" + detail::exact_text(options_.learning_rate) +
               " beta1=" + detail::exact_text(options_.beta1) + " beta2=" + detail::exact_text(options_.beta2) +
               " epsilon=" + detail::exact_text(options_.epsilon) + " " +
               detail::decay_text(options_.weight_decay, options_.decayed);
    }
    double learning_rate() const override { return options_.learning_rate; }
    std::optional<detail::UpdateRule> rule() const override {
        detail::UpdateRule rule{};
        rule.kind = detail::UpdateRule::Kind::adamw;
        rule.weight_decay = options_.weight_decay;
        rule.beta1 = options_.beta1;
        rule.beta2 = options_.beta2;
        rule.epsilon = options_.epsilon;
        rule.decoupled = options_.decoupled;
        return rule;
    }

protected:
    void update(const detail::OptimizerStep<Scalar>& step, const detail::ParameterRun& run) override {
        using Block = detail::ScalarBlock<Scalar>;
        const auto number = static_cast<double>(step.number);
        const double decay = run.decays ? options_.weight_decay : 0;
        const auto kept = static_cast<Scalar>(options_.decoupled ? 1 - step.learning_rate * decay : 1);
        const auto coupled = static_cast<Scalar>(options_.decoupled ? 0 : decay);
        const auto beta1 = static_cast<Scalar>(options_.beta1), rest1 = static_cast<Scalar>(1 - options_.beta1);
        const auto beta2 = static_cast<Scalar>(options_.beta2), rest2 = static_cast<Scalar>(1 - options_.beta2);
        const auto size = static_cast<Scalar>(step.learning_rate / (1 - std::pow(options_.beta1, number)));
        const auto root = static_cast<Scalar>(1 / std::sqrt(1 - std::pow(options_.beta2, number)));
        const auto epsilon = static_cast<Scalar>(options_.epsilon);
        const auto formula = [&](Block& parameter, Block gradient, Block& mean, Block& square) {
            gradient += coupled * parameter;
            mean = beta1 * mean + rest1 * gradient;
            square = beta2 * square + rest2 * (gradient * gradient);
            // Not Eigen's sqrt, which is approximate on some instruction sets.
            Block deviation;
            for (int i = 0; i < Block::SizeAtCompileTime; ++i) deviation[i] = std::sqrt(square[i]);
            parameter = kept * parameter - size * mean / (deviation * root + epsilon);
        };
        // With an epsilon of 0, padding of the last block would be 0 / 0, but it is never stored.
        detail::update_blocks<Scalar>(run.size(), formula, step.parameters.data() + run.begin,
                                      step.gradients.data() + run.begin, this->slot(0, run.begin),
                                      this->slot(1, run.begin));
    }

private:
    AdamWOptions options_;
};

}  // namespace TENON_ISA_NAMESPACE

template <class Scalar>
auto AdamWOptions::make(std::vector<detail::ParameterRun> runs, long scalars) const {
    return std::make_unique<AdamW<Scalar>>(*this, std::move(runs), scalars);
}

}  // namespace tenon
