// Pass: let the operation before a ReLU apply it.
#pragma once

#include <tenon/program/uses.hpp>

namespace tenon {

/// Whether an operation's kernel applies a ReLU to what it stores.
constexpr bool can_apply_relu(OpKind kind) {
    using enum OpKind;
    return kind == conv || kind == linear || kind == batch_norm || kind == add || kind == max_pool ||
           kind == average_pool;
}

/// op -> relu becomes one operation, where the ReLU is the only reader of the operation's result.
template <Capacity C>
constexpr Program<C> fuse_relu(Program<C> program) {
    Uses<C> uses{program};
    for (Op& relu : program.ops) {
        if (relu.kind != OpKind::relu) continue;
        Op* producer = uses.sole_producer(program, relu.source());
        if (!producer || !can_apply_relu(producer->kind) || producer->activated >= 0) continue;
        producer->relu = true;
        producer->target = relu.target;
        uses.producer[relu.target] = static_cast<int>(producer - program.ops.begin());
        relu.target = -1;
    }
    erase_dead(program);
    return program;
}

}  // namespace tenon
