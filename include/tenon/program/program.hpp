#pragma once
// IWYU pragma: private, include <tenon/network.hpp>

// The vocabulary of the compiler inside the type system: a program is an array of operations over numbered values.
//
// There are no types from here on: every network's program is one of these, and passes are functions over it.

#include <tenon/core/fixed_vector.hpp>
#include <tenon/core/shape.hpp>
#include <tenon/program/elementwise_function.hpp>
#include <tenon/program/op_traits.hpp>
#include <tenon/program/path.hpp>

namespace tenon {

/// What a window reads beyond the edge of a map.
enum class PadValue {
    excluded,  ///< nothing: a maximum ignores it (torch's -inf), an average divides by the pixels inside
    zero,      ///< zeros that take part, as after Keras' ZeroPadding2D
};

namespace detail {

/// The window of a convolution or pooling, in pixels.
struct Window {
    int kernel_height = 1, kernel_width = 1;
    int stride_height = 1, stride_width = 1;
    int top = 0, left = 0, bottom = 0, right = 0;  ///< padding
    PadValue pad_value = PadValue::zero;

    /// Output rows over an input of `height` rows; windows that don't fit completely are dropped (floor).
    constexpr int output_height(int height) const {
        return (height + top + bottom - kernel_height) / stride_height + 1;
    }
    constexpr int output_width(int width) const { return (width + left + right - kernel_width) / stride_width + 1; }
    constexpr int taps() const { return kernel_height * kernel_width; }
    constexpr bool is_pointwise() const { return taps() == 1 && top == 0 && left == 0 && bottom == 0 && right == 0; }

    friend constexpr bool operator==(const Window&, const Window&) = default;
};

/// A tensor of parameters, stored in the order of its dimensions (a convolution's weight is OIHW) at `offset` of the
/// arena that holds the parameters of a network one after another.
struct Parameter {
    ParameterRole role{};
    int layer = 0;  ///< index into Program::layers
    int dimensions[4]{};
    int rank = 0;
    long offset = 0;  ///< in scalars

    constexpr long elements() const {
        long product = 1;
        for (int i = 0; i < rank; ++i) product *= dimensions[i];
        return product;
    }
};

/// One occurrence of a layer in a network: its name, its shapes, its parameters and its constants.
struct LayerInfo {
    Path path{};
    Shape input{}, output{};
    int first_parameter = 0, parameters = 0;  ///< indices into Program::parameters
    double epsilon = 0, momentum = 0;         ///< of a batch norm
    double rate = 0;                          ///< of a dropout; the factor of a scale
    bool frozen = false;                      ///< training does not change it (Frozen)
};

/// The index of a layer's parameter with this role among all `parameters` of its network; -1 if it has none, as a
/// convolution without a bias.
constexpr int parameter_of(const LayerInfo& layer, const Parameter* parameters, ParameterRole role) {
    for (int i = layer.first_parameter; i < layer.first_parameter + layer.parameters; ++i)
        if (parameters[i].role == role) return i;
    return -1;
}

/// A convolution as one term of a sum: what it reads and with which weights.
struct ConvTerm {
    int source = -1;  ///< value; -1: there is no such term
    int layer =
        -1;  ///< LayerInfo of the convolution: weight, then bias if it has one; -1: the term is not a convolution
    int norm = -1;  ///< LayerInfo of a batch norm folded into the weights, or -1
    Window window{};
    int groups = 1;
};

/// One operation. Lowering fills the first part; passes move other operations into the second part.
///
///     raw       = terms[0] + terms[1] + residual, then ReLU if `relu`        stored as `target` unless that is -1
///     activated = raw * scale + shift, then ReLU if `activated_relu`         stored as `activated` unless that is -1
struct Op {
    OpKind kind{};
    int target = -1;
    ConvTerm terms[2]{};  ///< every operation has its source, layer and window in terms[0]. What terms[1] is depends
                          ///< on the kind: ask second_convolution() and second_factor()

    int residual = -1;        ///< value added to the result; the second operand of an add
    int residual_stride = 1;  ///< the residual is read at every n-th row and column
    bool relu = false;
    int activated = -1;       ///< value that receives the activated result
    int activated_norm = -1;  ///< LayerInfo of the batch norm that gives scale and shift; -1: one and zero
    bool activated_relu = false;

    const ElementwiseFunction* function = nullptr;  ///< of an `elementwise`

    int recompute = -1;  ///< the part whose values training computes again instead of saving them (Recompute)

    constexpr int source() const { return terms[0].source; }
    constexpr int layer() const { return terms[0].layer; }
    constexpr const Window& window() const { return terms[0].window; }

    /// Whether the operation only takes every n-th row and column of its operand: a maximum of single pixels.
    constexpr bool is_subsampling() const { return kind == OpKind::max_pool && window().is_pointwise(); }
    /// Whether the operation reads two values as terms: a sum of two convolutions or a product of two maps.
    constexpr bool has_second_term() const { return terms[1].source >= 0; }
    /// Whether the products of a second convolution are added to those of the first (fuse_add).
    constexpr bool has_second_convolution() const { return kind == OpKind::conv && has_second_term(); }
    /// That convolution; nullptr if there is none. For run time: GCC 12 doesn't compare the address of a program's part
    /// with nullptr in a constant expression where the program is a member of what is being evaluated.
    constexpr const ConvTerm* second_convolution() const { return has_second_convolution() ? &terms[1] : nullptr; }
    /// The value that a multiply multiplies its source by; -1 for every other kind. It is a value without a layer.
    constexpr int second_factor() const { return kind == OpKind::multiply ? terms[1].source : -1; }
};

/// The sizes of a program's arrays.
struct Capacity {
    int ops = 0, values = 0, layers = 0, parameters = 0;
    friend constexpr bool operator==(const Capacity&, const Capacity&) = default;
};

/// The operations of a network in the order they run. Value 0 is the input; each value is written by one operation.
template <Capacity C>
struct Program {
    FixedVector<Op, C.ops + 2> ops{};  ///< two more than lowered: the passes may add a load and a store
    FixedVector<Shape, C.values + 2> values{};
    FixedVector<LayerInfo, C.layers> layers{};
    FixedVector<Parameter, C.parameters> parameters{};
    int output = 0;  ///< the value that is the network's result

    /// Whether the layers include functions of a user's own (Elementwise).
    constexpr bool has_functions() const {
        for (const Op& op : ops)
            if (op.function) return true;
        return false;
    }

    /// The operation that writes a value (as target or as activated), or -1 for the input.
    constexpr int producer(int value) const {
        for (int i = 0; i < ops.size(); ++i)
            if (ops[i].target == value || (ops[i].activated == value && value >= 0)) return i;
        return -1;
    }

    /// The parameter that has a role in a layer, or -1.
    constexpr int parameter(int layer, ParameterRole role) const {
        return layer < 0 ? -1 : parameter_of(layers[layer], parameters.begin(), role);
    }

    /// Whether training changes a parameter: it is no running statistic, and its layer is not frozen.
    constexpr bool is_trained(int parameter) const {
        return is_trainable(parameters[parameter].role) && !layers[parameters[parameter].layer].frozen;
    }
};

}  // namespace detail

}  // namespace tenon
