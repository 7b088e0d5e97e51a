// Combinators: layers made of layers. A list is a pack, never a chain, so nothing is nested deeper than it is written.
#pragma once

#include <tenon/program/builder.hpp>

namespace tenon {

/// The children of a combinator, in the order their positions are counted in.
template <class... Layers>
struct Children {};

/// One layer after the other.
template <class... Layers>
struct Sequential {
    using children = Children<Layers...>;
    static constexpr Cursor lower(Builder& builder, Cursor x) {
        builder.enter();
        int index = 0;
        ((x = lower_child<Layers>(builder, x, index++)), ...);
        builder.leave();
        return x;
    }
};

/// The same layer `Count` times, each with parameters of its own; none for a count below one.
template <int Count, class Child>
struct Repeat {
    using children = Children<Child>;
    static constexpr Cursor lower(Builder& builder, Cursor x) {
        builder.enter();
        for (int i = 0; i < Count && !builder.failed(); ++i) x = lower_child<Child>(builder, x, 0);
        builder.leave();
        return x;
    }
};

/// A sequence in a scope of its own, which its parameters' names begin with.
template <ScopeKind Kind, class... Layers>
struct Scoped {
    using children = Children<Layers...>;
    static constexpr Cursor lower(Builder& builder, Cursor x) {
        builder.open(Kind);
        x = Sequential<Layers...>::lower(builder, x);
        builder.close();
        return x;
    }
};

/// What stands before the stacks of a network: `stem.conv0.weight`.
template <class... Layers>
struct Stem : Scoped<ScopeKind::stem, Layers...> {};

/// What stands behind the stacks of a network: `head.linear0.weight`.
template <class... Layers>
struct Head : Scoped<ScopeKind::head, Layers...> {};

/// Lowers one branch of a residual block, in its scope.
template <class Branch>
constexpr Cursor lower_branch(Builder& builder, Cursor x, int index, ScopeKind kind) {
    builder.at(index);
    builder.open(kind);
    x = lower_child<Branch>(builder, x, index);
    builder.close();
    return x;
}

/// Adds the shortcut's result to the body's, which must have the same shape.
constexpr Cursor lower_sum(Builder& builder, Cursor body, Cursor shortcut) {
    if (builder.failed()) return body;
    if (body.shape != shortcut.shape) {
        builder.leave();
        builder.reject(Reason::branches_disagree, body.shape, shortcut.shape);
        builder.enter();
        return body;
    }
    Op op{};
    op.kind = OpKind::add;
    op.terms[0].layer = builder.layer(OpKind::add, body.shape, body.shape);
    op.residual = shortcut.value;
    return builder.emit(op, body, body.shape);
}

/// Lowers what follows the sum of a residual block, in the block's scope.
template <class... After>
constexpr Cursor lower_after(Builder& builder, Cursor x, int index) {
    ((x = lower_child<After>(builder, x, index++)), ...);
    return x;
}

/// body(x) + shortcut(x): the original residual block (He et al. 2015), without the ReLU that follows it there unless
/// it is given as `After`.
template <class Body, class Shortcut, class... After>
struct Residual {
    using children = Children<Body, Shortcut, After...>;
    static constexpr Cursor lower(Builder& builder, Cursor x) {
        builder.open(ScopeKind::block);
        builder.enter();
        const Cursor shortcut = lower_branch<Shortcut>(builder, x, 1, ScopeKind::shortcut);
        const Cursor body = lower_branch<Body>(builder, x, 0, ScopeKind::body);
        const Cursor sum = lower_after<After...>(builder, lower_sum(builder, body, shortcut), 2);
        builder.leave();
        builder.close();
        return sum;
    }
};

/// Where the shortcut of a pre-activated block branches off.
enum class ShortcutFrom {
    input,          ///< the raw input: identity and pooling
    preactivation,  ///< behind the pre-activation: projection
};

/// body(preact(x)) + shortcut(x or preact(x)): the pre-activated residual block (He et al. 2016, figure 4e).
template <class Preact, class Body, class Shortcut, ShortcutFrom From = ShortcutFrom::input>
struct PreactivatedResidual {
    using children = Children<Preact, Body, Shortcut>;
    static constexpr Cursor lower(Builder& builder, Cursor x) {
        builder.open(ScopeKind::block);
        builder.enter();
        const Cursor preact = lower_branch<Preact>(builder, x, 0, ScopeKind::preact);
        const Cursor shortcut =
            lower_branch<Shortcut>(builder, From == ShortcutFrom::input ? x : preact, 2, ScopeKind::shortcut);
        const Cursor body = lower_branch<Body>(builder, preact, 1, ScopeKind::body);
        const Cursor sum = lower_sum(builder, body, shortcut);
        builder.leave();
        builder.close();
        return sum;
    }
};

}  // namespace tenon
