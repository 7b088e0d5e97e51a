// How an optimizer changes parameters, as numbers: what a backend that updates parameters itself is told.
#pragma once

namespace tenon {

/// The formula of an optimizer (train/sgd.hpp and train/adamw.hpp have them) and its constants.
struct UpdateRule {
    enum class Kind { sgd, adamw };

    Kind kind = Kind::sgd;
    double weight_decay = 0;
    double momentum = 0;  ///< of SGD; above 0 there is a slot for the velocity
    bool nesterov = false;
    bool keras = false;                        ///< Keras' convention rather than torch's
    double beta1 = 0, beta2 = 0, epsilon = 0;  ///< of AdamW, which has two slots
    bool decoupled = true;

    /// Arenas of what is remembered of earlier gradients.
    constexpr int slots() const { return kind == Kind::adamw ? 2 : momentum > 0 ? 1 : 0; }
};

}  // namespace tenon
