// Pass: let an operation store the pre-activation of its result as a second result.
#pragma once

#include <tenon/program/uses.hpp>

namespace tenon {

/// Whether an operation's kernel can store an activated result beside or instead of the raw one.
constexpr bool can_activate(OpKind kind) {
    using enum OpKind;
    return kind == conv || kind == add || kind == batch_norm || kind == relu || kind == max_pool ||
           kind == average_pool;
}

/// op -> {norm -> relu, others} becomes one operation that stores the raw result for the others and the activated one;
/// if there are no others, the raw result is not stored at all. The trunk itself is never normalised: a shortcut reads
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
        if (producer.target != value || producer.activated >= 0 || !can_activate(producer.kind)) continue;
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

}  // namespace tenon
