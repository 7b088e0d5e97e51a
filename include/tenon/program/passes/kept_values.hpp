// What a training step needs gradients of, and what it keeps of the forward pass to compute them.
#pragma once

#include <tenon/program/uses.hpp>

namespace tenon {

/// Which values of a forward program depend on parameters that are trained, so that their gradients are needed.
template <Capacity C>
struct TrainedValues {
    bool depends[array_bound<C.values + 2>]{};

    constexpr TrainedValues(const Program<C>& program, bool input) {
        depends[0] = input;
        for (const Op& op : program.ops) {
            for_each_operand(op, [&](int value) { depends[op.target] = depends[op.target] || depends[value]; });
            for (const ConvTerm& term : op.terms)
                if (is_trained(program, term.layer)) depends[op.target] = true;
        }
    }

    /// Whether a layer has parameters that are trained.
    static constexpr bool is_trained(const Program<C>& program, int layer) {
        if (layer < 0 || program.layers[layer].frozen) return false;
        const LayerInfo& info = program.layers[layer];
        for (int i = 0; i < info.parameters; ++i)
            if (is_trainable(program.parameters[info.first_parameter + i].role)) return true;
        return false;
    }
};

/// Which values are kept until the gradients are computed if these need them; the others are computed again.
template <Capacity C>
struct KeptValues {
    bool kept[array_bound<C.values + 2>]{};
    bool cheap[array_bound<C.values + 2>]{};  ///< results of one pass over memory

    constexpr KeptValues(const Program<C>& program, const TrainedValues<C>& trained, bool recompute_activations) {
        kept[0] = true;
        for (const Op& op : program.ops) {
            // What no gradient goes through needs not be computed again: its operand has no other use.
            cheap[op.target] = op.kind == OpKind::batch_norm || op.kind == OpKind::relu || op.kind == OpKind::dropout ||
                               op.kind == OpKind::scale;
            kept[op.target] =
                op.checkpoint < 0 && !(recompute_activations && cheap[op.target] && trained.depends[op.target]);
        }
        // What leaves a checkpoint is kept, so that one part is computed at a time.
        int checkpoint[array_bound<C.values + 2>]{};
        for (int& part : checkpoint) part = -1;
        for (const Op& op : program.ops) {
            for_each_operand(op, [&](int value) {
                if (checkpoint[value] >= 0 && checkpoint[value] != op.checkpoint) kept[value] = true;
            });
            checkpoint[op.target] = op.checkpoint;
        }
        kept[program.output] = true;
    }
};

}  // namespace tenon
