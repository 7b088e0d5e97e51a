#pragma once
// IWYU pragma: private, include <tenon/training.hpp>

// The program of a training iteration: forward operations, recomputations and gradients, over values that are assigned
// once.

#include <tenon/program/program.hpp>

namespace tenon::detail {

/// What an operation of a training iteration does. `op` is the operation of the forward program it belongs to.
enum class TrainingKind {
    forward,           ///< op itself, in train mode
    recompute,         ///< op once more, as `forward` computed it: from the same statistics and masks
    statistics,        ///< mean and variance of op's source over the batch, for a batch norm; updates the running ones
    relu_gradient,     ///< gradient where the result of op (`result`) is above zero, elsewhere zero
    data_gradient,     ///< of a convolution or linear layer with respect to one term's source
    weight_gradient,   ///< of a convolution or linear layer with respect to one term's parameters
    norm_gradient,     ///< of a batch norm (and the ReLU fused into it): source, gamma and beta
    pool_gradient,     ///< of any pooling, and of a padding of channels
    product_gradient,  ///< of a product with respect to the operand of one term: gradient * the other operand
    subsample_gradient,  ///< spreads gradient over every n-th pixel: of a strided residual or a strided 1x1 convolution
    activation_gradient,  ///< of a ReLU, dropout, softmax, sigmoid or scale on its own
    add_gradient,         ///< gradient + sum
    spread,               ///< gradient with zeros between its pixels: what a strided convolution's data gradient reads
};

/// One operation of a training iteration. Operands are values; -1: it has no such operand, or does not read it.
struct TrainingOp {
    TrainingKind kind{};
    int op = 0;    ///< index into TrainingProgram::forward.ops
    int term = 0;  ///< of the convolution, for its gradients

    int sources[2] = {-1, -1};  ///< where the sources of op's terms are found at this point
    int residual = -1;          ///< where op's residual is
    int result = -1;            ///< where op's result is
    int gradient = -1;          ///< with respect to op's result
    int sum = -1;               ///< contributions of other operations to the target, added to this one's
    int target = -1;            ///< what is written; -1: parameters' gradients or statistics only
};

/// Calls `visit(value)` for every value that an operation of a training iteration reads.
template <class Visit>
constexpr void for_each_operand(const TrainingOp& op, Visit visit) {
    for (const int value : {op.sources[0], op.sources[1], op.residual, op.result, op.gradient, op.sum})
        if (value >= 0) visit(value);
}

/// The sizes of a training program's arrays.
struct TrainingCapacity {
    int ops = 0, values = 0;
    friend constexpr bool operator==(const TrainingCapacity&, const TrainingCapacity&) = default;
};

/// The operations of a training iteration in the order they run: `forward_ops` of them, then the loss, which reads
/// value `output` and writes its gradient to value `output_gradient`, then the others. The first values are those of
/// the forward program; value 0 is the input.
template <Capacity C, TrainingCapacity T>
struct TrainingProgram {
    Program<C> forward{};
    FixedVector<TrainingOp, T.ops> ops{};
    FixedVector<Shape, T.values> values{};
    int forward_ops = 0;
    int output = 0, output_gradient = -1;
    int input_gradient = -1;  ///< -1 unless requested

    constexpr const Op& op_of(const TrainingOp& op) const { return forward.ops[op.op]; }
};

/// What differentiation takes into account.
struct DifferentiationOptions {
    bool input_gradient = false;        ///< also with respect to the network's input
    bool spread_strides = false;        ///< data gradients of strided convolutions read a spread gradient
    bool recompute_activations = true;  ///< false: everything that backward reads is saved, as torch does
};

}  // namespace tenon::detail
