#pragma once
// IWYU pragma: private, include <tenon/network.hpp>

// Where a layer is in its network, as a value: the scopes around it and its number among the layers of its kind.

#include <string>
#include <string_view>

#include <tenon/core/cold.hpp>
#include <tenon/core/isa.hpp>
#include <tenon/core/sentence.hpp>
#include <tenon/program/op_traits.hpp>

namespace tenon {

namespace detail {

/// A named part of a network that contains layers. The combinators open scopes; layers outside all of them are at the
/// root.
enum class ScopeKind { stem, stack, block, preact, body, shortcut, head, gate };

/// The word a scope has in a path.
constexpr std::string_view scope_name(ScopeKind kind) {
    constexpr std::string_view names[] = {"stem", "stack", "block", "preact", "body", "shortcut", "head", "gate"};
    return names[static_cast<int>(kind)];
}

/// Whether scopes of a kind are numbered (`stack0`, `block2`) or occur once in their parent (`stem`, `body`).
constexpr bool is_counted(ScopeKind kind) { return kind == ScopeKind::stack || kind == ScopeKind::block; }

/// One scope of a path: the third block has index 2.
struct Scope {
    ScopeKind kind{};
    int index = 0;
    friend constexpr bool operator==(const Scope&, const Scope&) = default;
};

/// Scopes from the outside in, and the ordinal of the layer among the layers of its kind in the innermost scope.
struct Path {
    static constexpr int max_depth = 6;
    Scope scopes[max_depth]{};
    int depth = 0;
    OpKind kind{};
    int ordinal = 0;
    friend constexpr bool operator==(const Path&, const Path&) = default;
};

}  // namespace detail

inline namespace TENON_ISA_NAMESPACE {

/// The canonical text of a path, `stack0.block1.body.conv2`; parameters append their role, `.weight`.
TENON_RUNS_ONCE inline std::string to_string(const detail::Path& path) {
    std::string text;
    for (int i = 0; i < path.depth; ++i) {
        text += scope_name(path.scopes[i].kind);
        if (is_counted(path.scopes[i].kind)) detail::SentencePart{path.scopes[i].index}.append_to(text);
        text += '.';
    }
    text += detail::op_name(path.kind);
    detail::SentencePart{path.ordinal}.append_to(text);
    return text;
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon
