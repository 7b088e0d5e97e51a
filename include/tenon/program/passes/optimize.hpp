#pragma once
// IWYU pragma: private, include <tenon/inference.hpp>

// The passes of inference, in their order.

#include <tenon/program/passes/fold_batch_norm.hpp>
#include <tenon/program/passes/fuse_add.hpp>
#include <tenon/program/passes/fuse_preactivation.hpp>
#include <tenon/program/passes/fuse_relu.hpp>
#include <tenon/program/passes/simplify.hpp>

namespace tenon::detail {

/// A program for inference: the same function of the input, in fewer operations. ReLUs are fused both before and after
/// the additions, as both placements exist (He et al. 2016, figure 4). `joins` is fuse_add's.
template <Capacity C, class Joins>
constexpr Program<C> optimize(const Program<C>& program, Joins joins) {
    return fuse_preactivation(fuse_relu(fuse_add(fuse_relu(fold_batch_norm(simplify(program))), joins)));
}

/// The same, with every projection in the accumulators of the convolution that it is added to.
template <Capacity C>
constexpr Program<C> optimize(const Program<C>& program) {
    return optimize(program, [](const Program<C>&, const Op&, const Op&) { return true; });
}

}  // namespace tenon::detail
