#pragma once
// IWYU pragma: private, include <tenon/training.hpp>

// How an optimizer changes parameters, as numbers: what it tells a backend that updates parameters itself.

namespace tenon::detail {

/// The kind of an optimizer and its constants; the formulas are in train/optimizers/sgd.hpp and adamw.hpp.
struct UpdateRule {
    enum class Kind { sgd, adamw };

    Kind kind = Kind::sgd;
    double weight_decay = 0;
    double momentum = 0;  ///< of SGD; above 0, the optimizer has one slot, the velocity
    bool nesterov = false;
    bool keras = false;                        ///< Keras' convention instead of torch's
    double beta1 = 0, beta2 = 0, epsilon = 0;  ///< of AdamW, which has two slots
    bool decoupled = true;

    /// The number of slots: arrays as large as the parameters that remember earlier gradients.
    constexpr int slots() const { return kind == Kind::adamw ? 2 : momentum > 0 ? 1 : 0; }
};

}  // namespace tenon::detail
