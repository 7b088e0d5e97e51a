#pragma once
// IWYU pragma: private, include <tenon/network.hpp>

// What layers lower into: a builder that collects operations, names them, and remembers the first layer that does not
// fit.

#include <concepts>

#include <tenon/program/program.hpp>
#include <tenon/program/rejection.hpp>

namespace tenon {

/// What flows from layer to layer during lowering: a value and its shape.
struct Cursor {
    int value = 0;
    Shape shape{};
};

/// Collects a program. The arrays belong to the caller; without them the builder only counts, so that a program can be
/// lowered once to learn its capacity and once more to be written. Not a template, so each layer's lower() is
/// instantiated once for all networks.
class Builder {
public:
    /// A builder that counts.
    constexpr Builder() = default;

    /// A builder that writes into a program of sufficient capacity.
    template <detail::Capacity C>
    constexpr explicit Builder(detail::Program<C>& program)
        : ops_{program.ops.items},
          values_{program.values.items},
          layers_{program.layers.items},
          parameters_{program.parameters.items} {}

    /// Appends an operation that reads `x` and yields a map or vector of shape `output`. The operation's layer must
    /// have been opened with layer() unless it has neither parameters nor a name of interest.
    constexpr Cursor emit(detail::Op op, Cursor x, Shape output) {
        op.terms[0].source = x.value;
        op.target = counts_.values;
        op.recompute = recompute_depth_ > 0 ? recomputed_parts_ - 1 : -1;
        add_value(output);
        if (ops_) ops_[counts_.ops] = op;
        ++counts_.ops;
        return {op.target, output};
    }

    /// The same for an operation that reads a second value.
    constexpr Cursor emit(detail::Op op, Cursor x, Cursor y, Shape output) {
        op.terms[1].source = y.value;
        return emit(op, x, output);
    }

    /// Declares the network's input as value 0.
    constexpr Cursor input(Shape shape) {
        add_value(shape);
        return {0, shape};
    }

    /// Opens a layer of the given kind and returns its index; parameter() then adds to it.
    constexpr int layer(OpKind kind, Shape input, Shape output, double epsilon = 0, double momentum = 0,
                        double rate = 0) {
        path_.kind = kind;
        path_.ordinal = ordinals_[path_.depth][static_cast<int>(kind)]++;
        if (layers_)
            layers_[counts_.layers] = {.path = path_,
                                       .input = input,
                                       .output = output,
                                       .first_parameter = counts_.parameters,
                                       .epsilon = epsilon,
                                       .momentum = momentum,
                                       .rate = rate,
                                       .frozen = is_frozen(kind)};
        return counts_.layers++;
    }

    /// Adds a parameter to the layer opened last.
    constexpr void parameter(ParameterRole role, int rank, int d0, int d1 = 1, int d2 = 1, int d3 = 1) {
        const detail::Parameter parameter{role, counts_.layers - 1, {d0, d1, d2, d3}, rank, offset_};
        if (parameters_) {
            parameters_[counts_.parameters] = parameter;
            ++layers_[counts_.layers - 1].parameters;
        }
        ++counts_.parameters;
        offset_ += parameter.elements();
    }

    /// Opens and closes a named scope; layers and scopes inside are counted from zero.
    constexpr void open(detail::ScopeKind kind) {
        if (path_.depth == detail::Path::max_depth) return reject(Reason::nested_too_deep);
        path_.scopes[path_.depth] = {kind, is_counted(kind) ? scope_counts_[path_.depth][static_cast<int>(kind)]++ : 0};
        ++path_.depth;
        for (int& ordinal : ordinals_[path_.depth]) ordinal = 0;
        for (int& count : scope_counts_[path_.depth]) count = 0;
    }
    constexpr void close() {
        if (path_.depth > 0) --path_.depth;
    }

    /// Layers between open and close are not trained.
    constexpr void open_frozen() { ++frozen_depth_; }
    constexpr void close_frozen() { --frozen_depth_; }
    /// Batch norms between open and close are not trained.
    constexpr void open_frozen_norms() { ++frozen_norms_depth_; }
    constexpr void close_frozen_norms() { --frozen_norms_depth_; }

    /// Values between open and close are recomputed for the gradients instead of saved; a part inside another belongs
    /// to the outer one.
    constexpr void open_recompute() {
        if (recompute_depth_++ == 0) ++recomputed_parts_;
    }
    constexpr void close_recompute() { --recompute_depth_; }

    /// The position inside the type lists, for rejections: enter a combinator's child list, move to a child, leave.
    constexpr void enter() {
        if (depth_ + 1 >= Rejection::max_depth) return reject(Reason::nested_too_deep);
        position_[++depth_] = 0;
    }
    constexpr void at(int index) { position_[depth_] = index; }
    constexpr void leave() {
        if (depth_ > 0) --depth_;
    }

    /// Records why the current layer does not fit, unless an earlier one was rejected. Lowering continues only
    /// formally.
    constexpr void reject(Reason reason, Shape expected = {}, Shape got = {}) {
        if (rejection_) return;
        rejection_ = {reason, expected, got, {}, depth_ + 1};
        for (int i = 0; i <= depth_; ++i) rejection_.position[i] = position_[i];
    }
    /// The same for the combinator around the current layer: what is wrong is how its children fit each other.
    constexpr void reject_parent(Reason reason, Shape expected, Shape got) {
        leave();
        reject(reason, expected, got);
        enter();
    }

    constexpr const Rejection& rejection() const { return rejection_; }
    constexpr bool failed() const { return static_cast<bool>(rejection_); }
    constexpr detail::Capacity counts() const { return counts_; }

private:
    constexpr void add_value(Shape shape) {
        if (values_) values_[counts_.values] = shape;
        ++counts_.values;
    }

    constexpr bool is_frozen(OpKind kind) const {
        return frozen_depth_ > 0 || (frozen_norms_depth_ > 0 && kind == OpKind::batch_norm);
    }

    static constexpr int scope_kinds = 8;

    detail::Op* ops_ = nullptr;
    Shape* values_ = nullptr;
    detail::LayerInfo* layers_ = nullptr;
    detail::Parameter* parameters_ = nullptr;
    detail::Capacity counts_{};
    long offset_ = 0;
    detail::Path path_{};
    int ordinals_[detail::Path::max_depth + 1][detail::op_kinds]{};
    int scope_counts_[detail::Path::max_depth + 1][scope_kinds]{};
    int position_[Rejection::max_depth]{};
    int depth_ = 0;
    int frozen_depth_ = 0, frozen_norms_depth_ = 0;
    int recompute_depth_ = 0, recomputed_parts_ = 0;
    Rejection rejection_{};
};

/// A layer: an empty descriptor type that appends its operations to a program and says what shape comes out.
template <class T>
concept Layer = requires(Builder& builder, Cursor cursor) {
    { T::lower(builder, cursor) } -> std::same_as<Cursor>;
};

namespace detail {

/// Lowers one entry of a type list; rejects what is not a layer. After a rejection nothing more is lowered.
template <class T>
constexpr Cursor lower_child(Builder& builder, Cursor x, int index) {
    builder.at(index);
    if (builder.failed()) return x;
    if constexpr (Layer<T>) {
        return T::lower(builder, x);
    } else {
        builder.reject(Reason::not_a_layer);
        return x;
    }
}

}  // namespace detail

}  // namespace tenon
