// Frozen, FrozenNorms and Checkpoint: parts of a network that training treats in another way. Inference does not see
// them.
#pragma once

#include <tenon/topology/combinators.hpp>

namespace tenon {

/// Layers in a row that training does not change: their parameters have no gradients, their batch norms normalise by
/// the running statistics and don't update them. Where nothing before them is trained, nothing is kept for gradients
/// and no gradient is computed, so `Network<Input, Frozen<Backbone...>, Linear<10>>` trains at the price of inference.
/// Names of parameters don't change.
template <class... Layers>
struct Frozen {
    using children = Children<Layers...>;
    static constexpr Cursor lower(Builder& builder, Cursor x) {
        builder.open_frozen();
        x = Sequential<Layers...>::lower(builder, x);
        builder.close_frozen();
        return x;
    }
};

/// Layers in a row whose batch norms training does not change: they normalise by the running statistics, as in
/// inference, and have no gradients; everything else is trained. For fine-tuning on little data, whose statistics would
/// replace those that the weights were trained with (Keras' guide calls it inference mode). Names of parameters don't
/// change.
template <class... Layers>
struct FrozenNorms {
    using children = Children<Layers...>;
    static constexpr Cursor lower(Builder& builder, Cursor x) {
        builder.open_frozen_norms();
        x = Sequential<Layers...>::lower(builder, x);
        builder.close_frozen_norms();
        return x;
    }
};

/// Layers in a row of which training keeps only the input and the result; what is between is computed once more when
/// the gradients need it (Chen et al. 2016): less memory for one more forward pass. Gradients are bitwise the same.
template <class... Layers>
struct Checkpoint {
    using children = Children<Layers...>;
    static constexpr Cursor lower(Builder& builder, Cursor x) {
        builder.open_checkpoint();
        x = Sequential<Layers...>::lower(builder, x);
        builder.close_checkpoint();
        return x;
    }
};

}  // namespace tenon
