// title: A pre-activated shortcut in a block without pre-activation
// meaning: `PreactivateShortcut` lets the shortcut read the result of the pre-activation. This placement has none.
// fix: Leave it out, or take a placement that pre-activates.
// expect: Rejected<tenon::Block<16, tenon::Basic, tenon::PreactivateShortcut, tenon::Placement<
// expect: reason::only_a_pre_activated_block_can_pre_activate_its_shortcut
// expect: At<1>
#include <tenon/models/variants.hpp>

using namespace tenon;

#ifndef TENON_TWIN
struct Classifier : Network<Input<3, 32, 32>, Conv<16>,
                            Block<16, Basic, PreactivateShortcut, Placement<ActivationPlacement::original>>> {};
#else
struct Classifier : Network<Input<3, 32, 32>, Conv<16>, Block<16, Basic, PreactivateShortcut>> {};
#endif

constexpr long parameters = parameter_count<Classifier>;
