#pragma once
// IWYU pragma: private, include <tenon/inference.hpp>

// Pass: let an operation store the pre-activation of its result as a second result.

#include <tenon/program/uses.hpp>

namespace tenon::detail {

/// op -> {norm -> relu, others} becomes one operation that stores the raw result for the others and the activated one;
/// if there are no others, the raw result is not stored at all. The trunk itself is never normalized: a shortcut reads
/// it.
template <Capacity C>
constexpr Program<C> fuse_preactivation(Program<C> program) {
    Uses<C> uses{program};
    for (Op& activation : program.ops) {
        if (activation.kind != OpKind::batch_norm && activation.kind != OpKind::relu) continue;
        if (activation.activated >= 0) continue;
        const int value = activation.source();
        if (uses.producer[value] < 0) continue;
        Op& producer = program.ops[uses.producer[value]];
        if (producer.target != value || producer.activated >= 0 || !traits_of(producer.kind).activates) continue;
        producer.activated = activation.target;
        producer.activated_norm = activation.kind == OpKind::batch_norm ? activation.layer() : -1;
        producer.activated_relu = activation.relu || activation.kind == OpKind::relu;
        if (uses.consumers[value] == 1) producer.target = -1;
        uses.producer[activation.target] = uses.producer[value];
        activation.target = -1;
    }
    erase_dead(program);
    return program;
}

}  // namespace tenon::detail
