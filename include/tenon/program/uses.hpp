#pragma once
// IWYU pragma: private, include <tenon/inference.hpp>

// Who writes and who reads each value of a program: passes decide by it.

#include <tenon/program/program.hpp>

namespace tenon::detail {

/// Calls `visit(value)` for every value an operation reads.
template <class Visit>
constexpr void for_each_operand(const Op& op, Visit visit) {
    for (const ConvTerm& term : op.terms)
        if (term.source >= 0) visit(term.source);
    if (op.residual >= 0) visit(op.residual);
}

/// For each value, the operation that writes it (-1: none) and the number of operands that read it; being the program's
/// result counts as one.
template <Capacity C>
struct Uses {
    int producer[array_bound<C.values + 2>]{};
    int consumers[array_bound<C.values + 2>]{};

    constexpr explicit Uses(const Program<C>& program) {
        for (int& index : producer) index = -1;
        for (int i = 0; i < program.ops.size(); ++i) {
            const Op& op = program.ops[i];
            if (op.target >= 0) producer[op.target] = i;
            if (op.activated >= 0) producer[op.activated] = i;
            for_each_operand(op, [&](int value) { ++consumers[value]; });
        }
        ++consumers[program.output];
    }

    /// The operation whose raw result is `value`, if exactly one operand reads it; nullptr otherwise.
    constexpr Op* sole_producer(Program<C>& program, int value) const {
        if (consumers[value] != 1 || producer[value] < 0) return nullptr;
        Op& op = program.ops[producer[value]];
        return op.target == value ? &op : nullptr;
    }
};

/// For each value, the last operation that reads it; -1: none.
template <Capacity C>
struct LastUses {
    int reader[array_bound<C.values + 2>]{};

    constexpr explicit LastUses(const Program<C>& program) {
        for (int& index : reader) index = -1;
        for (int i = 0; i < program.ops.size(); ++i)
            for_each_operand(program.ops[i], [&](int value) { reader[value] = i; });
    }

    /// Whether any operation from index `first` on reads a value.
    constexpr bool is_used_from(int first, int value) const { return reader[value] >= first; }
};

/// Whether an operation's result is still its bare sum: nothing has been fused after it, and it has one operand.
constexpr bool is_bare(const Op& op) {
    return op.residual < 0 && !op.has_second_term() && !op.relu && op.activated < 0;
}

/// Drops the operations that a pass marked by removing their results.
template <Capacity C>
constexpr void erase_dead(Program<C>& program) {
    program.ops.erase_if([](const Op& op) { return op.target < 0 && op.activated < 0; });
}

}  // namespace tenon::detail
