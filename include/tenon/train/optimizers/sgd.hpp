#pragma once
// IWYU pragma: private, include <tenon/training.hpp>

// Stochastic gradient descent with momentum, in PyTorch's and in Keras' form.

#include <tenon/train/optimizers/optimizer.hpp>

namespace tenon {

/// Which library's formulas SGD follows. They differ as soon as the learning rate changes, since Keras' velocity
/// contains it; and Keras' weight decay is decoupled from the gradient.
enum class SgdConvention {
    torch,  ///< v = momentum v + g + decay p;  p -= rate (nesterov ? g + decay p + momentum v : v)
    keras,  ///< p -= rate decay p;  v = momentum v - rate g;  p += nesterov ? momentum v - rate g : v
};

/// Options of SGD; the defaults are torch's except for the roles that decay. Equals torch.optim.SGD (without dampening)
/// with `decayed = DecayedRoles::all()`, and keras.optimizers.SGD.
struct SgdOptions {
    double learning_rate = 0.01;
    double momentum = 0;      ///< share of the velocity that a step keeps
    bool nesterov = false;    ///< Nesterov's momentum; needs a momentum above 0
    double weight_decay = 0;  ///< factor of a parameter that its gradient gets
    DecayedRoles decayed{};   ///< which parameters decay
    SgdConvention convention = SgdConvention::torch;

    /// Throws tenon::Error for options that are not valid rates.
    template <class Scalar>
    auto make(std::vector<detail::ParameterRun> runs, long scalars) const;
};

inline namespace TENON_ISA_NAMESPACE {

/// SGD with one slot, the velocity. The constructor throws tenon::Error for options that are not valid rates.
template <class Scalar>
class Sgd final : public detail::Optimizer<Scalar> {
public:
    Sgd(const SgdOptions& options, std::vector<detail::ParameterRun> runs, long scalars)
        : detail::Optimizer<Scalar>{std::move(runs), scalars, options.momentum > 0 ? 1 : 0}, options_{options} {
        detail::check_rate(options.learning_rate, "learning rate");
        detail::check_rate(options.momentum, "momentum", 1);
        detail::check_rate(options.weight_decay, "weight decay");
        if (options.nesterov && options.momentum == 0) throw Error("Nesterov's step needs a momentum above 0");
    }

    std::string identity() const override {
        return std::string("sgd ") + (options_.convention == SgdConvention::keras ? "keras" : "torch") +
               " learning_rate=" + detail::exact_text(options_.learning_rate) +
               " momentum=" + detail::exact_text(options_.momentum) + (options_.nesterov ? " nesterov " : " ") +
               detail::decay_text(options_.weight_decay, options_.decayed);
    }
    double learning_rate() const override { return options_.learning_rate; }
    std::optional<detail::UpdateRule> rule() const override {
        detail::UpdateRule rule{};
        rule.kind = detail::UpdateRule::Kind::sgd;
        rule.weight_decay = options_.weight_decay;
        rule.momentum = options_.momentum;
        rule.nesterov = options_.nesterov;
        rule.keras = options_.convention == SgdConvention::keras;
        return rule;
    }

protected:
    void update(const detail::OptimizerStep<Scalar>& step, const detail::ParameterRun& run) override {
        using Block = detail::ScalarBlock<Scalar>;
        const auto rate = static_cast<Scalar>(step.learning_rate), momentum = static_cast<Scalar>(options_.momentum);
        const auto decay = static_cast<Scalar>(run.decays ? options_.weight_decay : 0);
        Scalar* const p = step.parameters.data() + run.begin;
        const Scalar* const g = step.gradients.data() + run.begin;
        const bool keras = options_.convention == SgdConvention::keras, nesterov = options_.nesterov;
        // Keras first subtracts the decay, multiplied by the rate; torch adds the decay to the gradient.
        const auto prepare = [keras, rate, decay](Block& parameter, Block& gradient) {
            if (decay == 0) return;
            if (keras)
                parameter -= parameter * (rate * decay);
            else
                gradient += decay * parameter;
        };
        if (options_.momentum == 0) {
            const auto plain = [&](Block& parameter, Block gradient) {
                prepare(parameter, gradient);
                parameter -= rate * gradient;
            };
            return detail::update_blocks<Scalar>(run.size(), plain, p, g);
        }
        const auto with_momentum = [&](Block& parameter, Block gradient, Block& velocity) {
            prepare(parameter, gradient);
            if (keras) {
                velocity = momentum * velocity - rate * gradient;
                if (nesterov)
                    parameter += momentum * velocity - rate * gradient;
                else
                    parameter += velocity;
            } else {
                velocity = momentum * velocity + gradient;
                if (nesterov)
                    parameter -= rate * (gradient + momentum * velocity);
                else
                    parameter -= rate * velocity;
            }
        };
        detail::update_blocks<Scalar>(run.size(), with_momentum, p, g, this->slot(0, run.begin));
    }

private:
    SgdOptions options_;
};

}  // namespace TENON_ISA_NAMESPACE

template <class Scalar>
auto SgdOptions::make(std::vector<detail::ParameterRun> runs, long scalars) const {
    return std::make_unique<Sgd<Scalar>>(*this, std::move(runs), scalars);
}

}  // namespace tenon
