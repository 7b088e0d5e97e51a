// Adam with decoupled weight decay (Loshchilov and Hutter 2019), and Adam with the coupled one.
#pragma once

#include <cmath>

#include <tenon/train/optimizer.hpp>

namespace tenon {

/// Options of AdamW; the defaults are torch's but for the roles that decay. Equals torch.optim.AdamW with
/// `decayed = DecayedRoles::all()`, and torch.optim.Adam with `decoupled = false`. Keras' epsilon is 1e-7.
struct AdamWOptions {
    double learning_rate = 1e-3;
    double beta1 = 0.9, beta2 = 0.999;
    double epsilon = 1e-8;
    double weight_decay = 1e-2;
    bool decoupled = true;  ///< p -= rate * decay * p; otherwise g += decay * p
    DecayedRoles decayed{};

    /// Throws tenon::Error for options that are no rates.
    template <class Scalar>
    auto make(std::vector<ParameterRun> runs, long scalars) const;
};

inline namespace TENON_ISA_NAMESPACE {

/// AdamW with two slots, the means of gradients and of their squares.
template <class Scalar>
class AdamW final : public Optimizer<Scalar> {
public:
    AdamW(const AdamWOptions& options, std::vector<ParameterRun> runs, long scalars)
        : Optimizer<Scalar>{std::move(runs), scalars, 2}, options_{options} {
        check_rate(options.learning_rate, "learning rate");
        check_rate(options.beta1, "beta1", 1);
        check_rate(options.beta2, "beta2", 1);
        check_rate(options.epsilon, "epsilon");
        check_rate(options.weight_decay, "weight decay");
    }

    std::string identity() const override {
        return std::string(options_.decoupled ? "adamw" : "adam") +
               " learning_rate=" + exact_text(options_.learning_rate) + " beta1=" + exact_text(options_.beta1) +
               " beta2=" + exact_text(options_.beta2) + " epsilon=" + exact_text(options_.epsilon) + " " +
               decay_text(options_.weight_decay, options_.decayed);
    }
    double learning_rate() const override { return options_.learning_rate; }
    std::optional<UpdateRule> rule() const override {
        UpdateRule rule{};
        rule.kind = UpdateRule::Kind::adamw;
        rule.weight_decay = options_.weight_decay;
        rule.beta1 = options_.beta1;
        rule.beta2 = options_.beta2;
        rule.epsilon = options_.epsilon;
        rule.decoupled = options_.decoupled;
        return rule;
    }

protected:
    void update(const OptimizerStep<Scalar>& step, const ParameterRun& run) override {
        using Block = ScalarBlock<Scalar>;
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
            // Not Eigen's sqrt, which is an approximation on some instruction sets.
            Block deviation;
            for (int i = 0; i < Block::SizeAtCompileTime; ++i) deviation[i] = std::sqrt(square[i]);
            parameter = kept * parameter - size * mean / (deviation * root + epsilon);
        };
        // The last block's filling would be 0 / 0 with an epsilon of 0, but is never stored.
        update_blocks<Scalar>(run.size(), formula, step.parameters.data() + run.begin,
                              step.gradients.data() + run.begin, this->slot(0, run.begin), this->slot(1, run.begin));
    }

private:
    AdamWOptions options_;
};

}  // namespace TENON_ISA_NAMESPACE

template <class Scalar>
auto AdamWOptions::make(std::vector<ParameterRun> runs, long scalars) const {
    return std::make_unique<AdamW<Scalar>>(*this, std::move(runs), scalars);
}

}  // namespace tenon
