#pragma once
// IWYU pragma: private, include <tenon/inference.hpp>

// Pass: let the operation before a ReLU apply it.

#include <tenon/program/uses.hpp>

namespace tenon::detail {

/// op -> relu becomes one operation, where the ReLU is the only reader of the operation's result.
template <Capacity C>
constexpr Program<C> fuse_relu(Program<C> program) {
    Uses<C> uses{program};
    for (Op& relu : program.ops) {
        if (relu.kind != OpKind::relu) continue;
        Op* producer = uses.sole_producer(program, relu.source());
        if (!producer || !traits_of(producer->kind).takes_relu || producer->activated >= 0) continue;
        producer->relu = true;
        producer->target = relu.target;
        uses.producer[relu.target] = static_cast<int>(producer - program.ops.begin());
        relu.target = -1;
    }
    erase_dead(program);
    return program;
}

}  // namespace tenon::detail
