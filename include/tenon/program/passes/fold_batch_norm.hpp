#pragma once
// IWYU pragma: private, include <tenon/inference.hpp>

// Pass: fold a batch norm into the weights of the convolution or linear layer before it.

#include <tenon/program/uses.hpp>

namespace tenon::detail {

/// conv -> norm becomes one convolution with scaled weights and shifted bias, where the norm is the only reader of the
/// convolution's result; any other reader would see normalized values.
template <Capacity C>
constexpr Program<C> fold_batch_norm(Program<C> program) {
    const Uses<C> uses{program};
    for (Op& norm : program.ops) {
        if (norm.kind != OpKind::batch_norm) continue;
        Op* producer = uses.sole_producer(program, norm.source());
        if (!producer || !traits_of(producer->kind).is_product) continue;
        if (!is_bare(*producer) || producer->terms[0].norm >= 0) continue;
        producer->terms[0].norm = norm.layer();
        producer->target = norm.target;
        norm.target = -1;
    }
    erase_dead(program);
    return program;
}

}  // namespace tenon::detail
