#pragma once
// IWYU pragma: private, include <tenon/network.hpp>

// Combinators: layers made of layers. A list is a pack, never a chain, so nothing is nested deeper than it is written.

#include <tenon/program/builder.hpp>

namespace tenon {

namespace detail {

/// The children of a combinator, in the order their positions are counted in.
template <class... Layers>
struct Children {};

}  // namespace detail

/// Layers one after another, each on the result of the one before it. Equals torch.nn.Sequential(...).
template <class... Layers>
struct Sequential {
    using children = detail::Children<Layers...>;
    static constexpr Cursor lower(Builder& builder, Cursor x) {
        builder.enter();
        int index = 0;
        ((x = detail::lower_child<Layers>(builder, x, index++)), ...);
        builder.leave();
        return x;
    }
};

/// The same layer `Count` times, each with parameters of its own; none for a count below one.
template <int Count, class Child>
struct Repeat {
    using children = detail::Children<Child>;
    static constexpr Cursor lower(Builder& builder, Cursor x) {
        builder.enter();
        for (int i = 0; i < Count && !builder.failed(); ++i) x = detail::lower_child<Child>(builder, x, 0);
        builder.leave();
        return x;
    }
};

namespace detail {

/// A sequence in a scope of its own, with which the names of its parameters begin.
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

}  // namespace detail

/// What comes before the stacks of a network: `stem.conv0.weight`.
template <class... Layers>
struct Stem : detail::Scoped<detail::ScopeKind::stem, Layers...> {};

/// What comes after the stacks of a network: `head.linear0.weight`.
template <class... Layers>
struct Head : detail::Scoped<detail::ScopeKind::head, Layers...> {};

namespace detail {

/// Lowers one branch of a residual block, in its scope.
template <class Branch>
constexpr Cursor lower_branch(Builder& builder, Cursor x, int index, ScopeKind kind) {
    builder.at(index);
    builder.open(kind);
    x = lower_child<Branch>(builder, x, index);
    builder.close();
    return x;
}

/// Adds the shortcut's result to the body's. Other shapes are the parent's mistake.
constexpr Cursor lower_sum(Builder& builder, Cursor body, Cursor shortcut) {
    if (builder.failed()) return body;
    if (body.shape != shortcut.shape) {
        builder.reject_parent(Reason::branches_disagree, body.shape, shortcut.shape);
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

}  // namespace detail

/// body(x) + shortcut(x): the original residual block (He et al. 2015), without the ReLU that follows it there unless
/// it is given as `After`.
template <class Body, class Shortcut, class... After>
struct Residual {
    using children = detail::Children<Body, Shortcut, After...>;
    static constexpr Cursor lower(Builder& builder, Cursor x) {
        builder.open(detail::ScopeKind::block);
        builder.enter();
        const Cursor shortcut = detail::lower_branch<Shortcut>(builder, x, 1, detail::ScopeKind::shortcut);
        const Cursor body = detail::lower_branch<Body>(builder, x, 0, detail::ScopeKind::body);
        const Cursor sum = detail::lower_after<After...>(builder, detail::lower_sum(builder, body, shortcut), 2);
        builder.leave();
        builder.close();
        return sum;
    }
};

/// Where the shortcut of a pre-activated block branches off.
enum class ShortcutFrom {
    input,          ///< the raw input: identity and pooling
    preactivation,  ///< after the pre-activation: projection
};

/// body(preact(x)) + shortcut(x or preact(x)): the pre-activated residual block (He et al. 2016, figure 4e).
template <class Preact, class Body, class Shortcut, ShortcutFrom From = ShortcutFrom::input>
struct PreactivatedResidual {
    using children = detail::Children<Preact, Body, Shortcut>;
    static constexpr Cursor lower(Builder& builder, Cursor x) {
        builder.open(detail::ScopeKind::block);
        builder.enter();
        const Cursor preact = detail::lower_branch<Preact>(builder, x, 0, detail::ScopeKind::preact);
        const Cursor shortcut =
            lower_branch<Shortcut>(builder, From == ShortcutFrom::input ? x : preact, 2, detail::ScopeKind::shortcut);
        const Cursor body = detail::lower_branch<Body>(builder, preact, 1, detail::ScopeKind::body);
        const Cursor sum = detail::lower_sum(builder, body, shortcut);
        builder.leave();
        builder.close();
        return sum;
    }
};

}  // namespace tenon
