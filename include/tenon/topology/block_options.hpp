#pragma once
// IWYU pragma: private, include <tenon/network.hpp>

// What makes residual blocks differ (He et al. 2016, figures 2 and 4): the shortcut, and where norms and ReLUs are.

#include <tenon/program/rejection.hpp>
#include <tenon/topology/options.hpp>

namespace tenon {

/// What a block adds to its body (He et al. 2016, figure 2). x is what the shortcut reads: the block's input, or its
/// pre-activated input.
enum class ShortcutKind {
    identity,              ///< x; where a stride changes its size, every n-th pixel
    constant_scaling,      ///< x / 2, added to half the body
    exclusive_gating,      ///< (1 - g) * x, added to g * body; g = sigmoid(1x1 convolution of x, with a bias)
    shortcut_only_gating,  ///< (1 - g) * x
    convolution,           ///< a 1x1 convolution of x
    dropout,               ///< x, of which training drops half the features
};

/// Where a block has its norms and ReLUs (He et al. 2016, figure 4). In all of them a norm and a ReLU are between two
/// convolutions of a block.
enum class ActivationPlacement {
    original,                 ///< a norm after the last convolution, a ReLU after the addition
    norm_after_addition,      ///< norm and ReLU after the addition
    relu_before_addition,     ///< norm and ReLU after the last convolution
    relu_only_preactivation,  ///< a ReLU before the first convolution, a norm after the last
    full_preactivation,       ///< norm and ReLU before the first convolution
};

namespace detail {

/// Whether a placement has a norm or a ReLU before the first convolution.
constexpr bool preactivates(ActivationPlacement placement) {
    return placement == ActivationPlacement::relu_only_preactivation ||
           placement == ActivationPlacement::full_preactivation;
}

/// Whether a placement has a norm after the last convolution of a branch.
constexpr bool normalizes_branches(ActivationPlacement placement) {
    return placement != ActivationPlacement::norm_after_addition &&
           placement != ActivationPlacement::full_preactivation;
}

/// The sum of a Block's options; the defaults are the listing's.
struct BlockOptions : WindowOptions {
    ShortcutKind shortcut = ShortcutKind::identity;
    ActivationPlacement placement = ActivationPlacement::full_preactivation;
    bool basic = false;                  ///< two convolutions instead of three
    bool pads_channels = false;          ///< the shortcut gets zeros for new channels
    bool preactivates_shortcut = false;  ///< the shortcut reads the pre-activated input
    int shortcuts_given = 0, placements_given = 0;

    constexpr bool is_gated() const {
        return shortcut == ShortcutKind::exclusive_gating || shortcut == ShortcutKind::shortcut_only_gating;
    }

    /// Why these options contradict one another; Reason::none if they don't.
    constexpr Reason contradiction() const {
        if (shortcuts_given > 1 || placements_given > 1) return Reason::block_option_given_twice;
        if (is_gated() && preactivates(placement)) return Reason::gated_shortcut_preactivated;
        if (shortcut == ShortcutKind::convolution && pads_channels) return Reason::convolution_with_padded_channels;
        if (preactivates_shortcut && !preactivates(placement)) return Reason::nothing_to_preactivate_shortcut;
        return Reason::none;
    }
};

}  // namespace detail

/// The shortcut of a Block, one of figure 2's. Gates read what the shortcut reads; placements that pre-activate have no
/// gated form.
template <ShortcutKind Kind>
struct Shortcut {
    static constexpr unsigned users = detail::for_block;
    static constexpr void apply(detail::BlockOptions& options) {
        options.shortcut = Kind;
        ++options.shortcuts_given;
    }
};

/// The shortcut of a Block is a 1x1 convolution: of the input, or where the placement pre-activates, of the
/// pre-activated input (the listing's conv_shortcut=True). A norm follows it where one follows the body.
struct ConvShortcut : Shortcut<ShortcutKind::convolution> {};

/// Where a Block has its norms and ReLUs, one of figure 4's.
template <ActivationPlacement Where>
struct Placement {
    static constexpr unsigned users = detail::for_block;
    static constexpr void apply(detail::BlockOptions& options) {
        options.placement = Where;
        ++options.placements_given;
    }
};

/// A Block has two convolutions of the kernel's size with `Filters` channels each, instead of the three of a
/// bottleneck.
struct Basic {
    static constexpr unsigned users = detail::for_block;
    static constexpr void apply(detail::BlockOptions& options) { options.basic = true; }
};

/// Where the block has more channels than its input, the shortcut gets channels of zeros on both sides (He et al. 2015,
/// option A). Not for a shortcut that is a convolution.
struct PadShortcut {
    static constexpr unsigned users = detail::for_block;
    static constexpr void apply(detail::BlockOptions& options) { options.pads_channels = true; }
};

/// The shortcut reads the pre-activated input, whatever its kind: for the first block of a network, whose input nothing
/// has activated yet (He et al. 2016, appendix).
struct PreactivateShortcut {
    static constexpr unsigned users = detail::for_block;
    static constexpr void apply(detail::BlockOptions& options) { options.preactivates_shortcut = true; }
};

namespace detail {

/// `Option` under a condition.
template <bool Condition, class Option>
struct OptionIf {
    static constexpr unsigned users = Option::users;
    template <class Options>
    static constexpr void apply(Options& options) {
        if (Condition) Option::apply(options);
    }
};

/// An option that Block takes.
template <class T>
concept BlockOption = requires(BlockOptions& options) {
    T::apply(options);
    requires(T::users & for_block) != 0;
};

}  // namespace detail

}  // namespace tenon
