// Pass: drop what does nothing at inference, dropouts and flattenings.
#pragma once

#include <tenon/program/uses.hpp>

namespace tenon {

/// Removes dropouts, and flattenings as well: a flattened map keeps its storage, and who reads it as a vector (a linear
/// layer, the result) knows the order of the storage. The shape of a value is its storage's from here on.
template <Capacity C>
constexpr Program<C> simplify(Program<C> program) {
    int same_as[array_bound<C.values + 2>];
    for (int i = 0; i < program.values.size(); ++i) same_as[i] = i;
    for (Op& op : program.ops) {
        for (ConvTerm& term : op.terms)
            if (term.source >= 0) term.source = same_as[term.source];
        if (op.residual >= 0) op.residual = same_as[op.residual];
        if (op.kind != OpKind::dropout && op.kind != OpKind::flatten) continue;
        same_as[op.target] = op.source();
        op.target = -1;
    }
    program.output = same_as[program.output];
    erase_dead(program);
    return program;
}

}  // namespace tenon
