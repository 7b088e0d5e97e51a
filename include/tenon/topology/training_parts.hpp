#pragma once
// IWYU pragma: private, include <tenon/network.hpp>

// Frozen, FrozenNorms and Recompute: parts of a network that training treats differently. Inference ignores them.

#include <tenon/topology/combinators.hpp>

namespace tenon {

/// Layers in a row that training does not change: their parameters have no gradients, their batch norms normalize by
/// the running statistics and don't update them. Where nothing before them is trained, nothing is saved for gradients
/// and no gradient is computed, so `Network<Input, Frozen<Backbone...>, Linear<10>>` trains at the price of inference.
/// Names of parameters don't change.
template <class... Layers>
struct Frozen {
    using children = detail::Children<Layers...>;
    static constexpr Cursor lower(Builder& builder, Cursor x) {
        builder.open_frozen();
        x = Sequential<Layers...>::lower(builder, x);
        builder.close_frozen();
        return x;
    }
};

/// Layers in a row whose batch norms training does not change: they normalize by the running statistics, as in
/// inference, and have no gradients; everything else is trained. For fine-tuning on little data, whose statistics would
/// replace those that the weights were trained with (Keras' guide calls it inference mode). Names of parameters don't
/// change.
template <class... Layers>
struct FrozenNorms {
    using children = detail::Children<Layers...>;
    static constexpr Cursor lower(Builder& builder, Cursor x) {
        builder.open_frozen_norms();
        x = Sequential<Layers...>::lower(builder, x);
        builder.close_frozen_norms();
        return x;
    }
};

/// Layers in a row of which training saves only the input and the result; what is in between is recomputed when the
/// gradients need it (Chen et al. 2016, arXiv 1604.06174): less memory for one more forward pass. Gradients are bitwise
/// the same. Equals torch.utils.checkpoint.checkpoint(layers, x).
template <class... Layers>
struct Recompute {
    using children = detail::Children<Layers...>;
    static constexpr Cursor lower(Builder& builder, Cursor x) {
        builder.open_recompute();
        x = Sequential<Layers...>::lower(builder, x);
        builder.close_recompute();
        return x;
    }
};

/// The former name of Recompute.
template <class... Layers>
using Checkpoint [[deprecated("renamed Recompute")]] = Recompute<Layers...>;

}  // namespace tenon
