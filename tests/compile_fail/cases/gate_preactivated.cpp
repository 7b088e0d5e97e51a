// title: A gated shortcut in a pre-activated block
// meaning: A gate is a sigmoid of what the shortcut reads. In the papers a gated shortcut has a norm after the body
// meaning: and a ReLU after the sum; a Block without a `Placement` is pre-activated.
// fix: Give the block one of the placements without a pre-activation.
// expect: Rejected<tenon::Block<16, tenon::Basic, tenon::Shortcut<(tenon::ShortcutKind::exclusive_gating|\(tenon::ShortcutKind\)2)> ?>,
// expect: reason::a_gated_shortcut_needs_a_placement_without_pre_activation
// expect: At<1>
#include <tenon/models/variants.hpp>

using namespace tenon;

#ifndef TENON_TWIN
struct Classifier : Network<Input<3, 32, 32>, Conv<16>, Block<16, Basic, Shortcut<ShortcutKind::exclusive_gating>>> {};
#else
struct Classifier
    : Network<Input<3, 32, 32>, Conv<16>,
              Block<16, Basic, Shortcut<ShortcutKind::exclusive_gating>, Placement<ActivationPlacement::original>>> {};
#endif

constexpr long parameters = parameter_count<Classifier>;
