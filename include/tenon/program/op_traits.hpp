#pragma once
// IWYU pragma: private, include <tenon/network.hpp>

// What is known of each kind of operation: one table, which names, passes, memory plans and backends read.

#include <string_view>

#include <tenon/program/kinds.hpp>

namespace tenon {

namespace detail {

/// What is known of a kind of operation in every network. What a kind's line doesn't mention is false.
// The order is that of reading; a table of eighteen lines has bytes to spare.
struct OpTraits {  // NOLINT(clang-analyzer-optin.performance.Padding)
    OpKind kind{};
    std::string_view name{};
    bool is_transfer = false;        ///< copies between the user's layout and the backend's; no layer lowers to it
    bool is_product = false;         ///< sums of products with weights: a batch norm after it folds into them
    bool is_affine = false;          ///< x * scale + shift, of which both are constants at inference
    bool is_pooling = false;         ///< of windows
    bool is_global_pooling = false;  ///< of complete maps
    bool is_maximum = false;         ///< of poolings: the largest value, not the mean
    bool is_in_place = false;        ///< its result may take its source's place: it reads each element just before it
                                     ///< writes the same one. So does a dropout, whose plans are without
    bool is_elementwise = false;     ///< a function of each element, in backend/shared/elementwise.hpp or a user's own
    bool gradient_reads_result = false;  ///< of an element-wise one: its gradient reads its result, not its operand
    std::string_view onnx{};             ///< of an element-wise one: ONNX's operator; a user's function has none
    bool takes_relu = false;             ///< its kernels can apply a ReLU to what they store
    bool activates = false;              ///< they can store an activated result beside the raw one, or instead of it
    bool is_cheap = false;  ///< one pass over memory: training computes it again rather than keep the result
};

/// The table, in the order of the enumeration.
inline constexpr OpTraits op_traits[] = {
    {.kind = OpKind::conv, .name = "conv", .is_product = true, .takes_relu = true, .activates = true},
    {.kind = OpKind::batch_norm,
     .name = "norm",
     .is_affine = true,
     .is_in_place = true,
     .takes_relu = true,
     .activates = true,
     .is_cheap = true},
    {.kind = OpKind::relu, .name = "relu", .is_in_place = true, .activates = true, .is_cheap = true},
    {.kind = OpKind::max_pool,
     .name = "max_pool",
     .is_pooling = true,
     .is_maximum = true,
     .takes_relu = true,
     .activates = true},
    {.kind = OpKind::average_pool, .name = "average_pool", .is_pooling = true, .takes_relu = true, .activates = true},
    {.kind = OpKind::global_average_pool, .name = "global_average_pool", .is_global_pooling = true},
    {.kind = OpKind::global_max_pool, .name = "global_max_pool", .is_global_pooling = true, .is_maximum = true},
    {.kind = OpKind::flatten, .name = "flatten"},
    {.kind = OpKind::linear, .name = "linear", .is_product = true, .takes_relu = true},
    {.kind = OpKind::dropout, .name = "dropout", .is_cheap = true},
    {.kind = OpKind::softmax, .name = "softmax"},
    {.kind = OpKind::add, .name = "add", .is_in_place = true, .takes_relu = true, .activates = true},
    {.kind = OpKind::scale, .name = "scale", .is_affine = true, .is_in_place = true, .is_cheap = true},
    {.kind = OpKind::multiply, .name = "multiply", .is_in_place = true},
    {.kind = OpKind::sigmoid,
     .name = "sigmoid",
     .is_in_place = true,
     .is_elementwise = true,
     .gradient_reads_result = true,
     .onnx = "Sigmoid"},
    {.kind = OpKind::elementwise, .name = "elementwise", .is_in_place = true, .is_elementwise = true},
    {.kind = OpKind::pad_channels, .name = "pad_channels"},
    {.kind = OpKind::load_input, .name = "load_input", .is_transfer = true},
    {.kind = OpKind::store_output, .name = "store_output", .is_transfer = true},
};

inline constexpr int op_kinds = sizeof(op_traits) / sizeof(op_traits[0]);

/// Whether the table has a line for each kind up to the last one, in their order.
consteval bool covers_op_kinds() {
    for (int i = 0; i < op_kinds; ++i)
        if (op_traits[i].kind != static_cast<OpKind>(i) || op_traits[i].name.empty()) return false;
    return op_kinds == static_cast<int>(OpKind::store_output) + 1;
}
static_assert(covers_op_kinds(), "each kind of operation needs a line in op_traits, in the order of the enumeration");

/// The line of a kind.
constexpr const OpTraits& traits_of(OpKind kind) { return op_traits[static_cast<int>(kind)]; }

/// The word an operation has in names and reports.
constexpr std::string_view op_name(OpKind kind) { return traits_of(kind).name; }

}  // namespace detail

}  // namespace tenon
