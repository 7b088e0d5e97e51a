#pragma once
// IWYU pragma: private, include <tenon/inference.hpp>

// Pass: a load of the user's images before the operations, and a store of the result after them.

#include <tenon/program/program.hpp>

namespace tenon::detail {

/// Puts a load before and a store after the operations of an optimized program, for backends with layouts of their own.
/// The load writes a new value, the last one, which replaces the input as an operand.
template <Capacity C>
constexpr Program<C> add_transfers(Program<C> program) {
    const int copy = program.values.size();
    program.values.push_back(program.values[0]);
    for (Op& op : program.ops) {
        for (ConvTerm& term : op.terms)
            if (term.source == 0) term.source = copy;
        if (op.residual == 0) op.residual = copy;
    }
    if (program.output == 0) program.output = copy;
    Op load{};
    load.kind = OpKind::load_input;
    load.terms[0].source = 0;
    load.target = copy;
    program.ops.push_back(load);
    for (int i = program.ops.size() - 1; i > 0; --i) program.ops[i] = program.ops[i - 1];
    program.ops[0] = load;
    Op store{};
    store.kind = OpKind::store_output;
    store.terms[0].source = program.output;
    program.ops.push_back(store);
    return program;
}

}  // namespace tenon::detail
