#pragma once
// IWYU pragma: private, include <tenon/training.hpp>

// What a training iteration needs gradients of, and which values of the forward pass it saves for them.

#include <tenon/program/uses.hpp>

namespace tenon::detail {

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
        if (layer < 0) return false;
        const LayerInfo& info = program.layers[layer];
        for (int i = 0; i < info.parameters; ++i)
            if (program.is_trained(info.first_parameter + i)) return true;
        return false;
    }
};

/// Which values are saved until the gradients that need them are computed; the others are recomputed.
template <Capacity C>
struct SavedValues {
    bool saved[array_bound<C.values + 2>]{};
    bool cheap[array_bound<C.values + 2>]{};  ///< results that one pass over memory recomputes

    constexpr SavedValues(const Program<C>& program, const TrainedValues<C>& trained, bool recompute_activations) {
        saved[0] = true;
        for (const Op& op : program.ops) {
            cheap[op.target] = traits_of(op.kind).is_cheap;
            // A value that no gradient goes through is saved: nothing else needs its operand, so recomputing it would
            // only mean to save the operand instead.
            const bool recomputed = recompute_activations && cheap[op.target] && trained.depends[op.target];
            saved[op.target] = op.recompute < 0 && !recomputed;
        }
        // What leaves a Recompute is saved, so that one part is recomputed at a time.
        int part_of[array_bound<C.values + 2>]{};
        for (int& part : part_of) part = -1;
        for (const Op& op : program.ops) {
            for_each_operand(op, [&](int value) {
                if (part_of[value] >= 0 && part_of[value] != op.recompute) saved[value] = true;
            });
            part_of[op.target] = op.recompute;
        }
        saved[program.output] = true;
    }
};

}  // namespace tenon::detail
