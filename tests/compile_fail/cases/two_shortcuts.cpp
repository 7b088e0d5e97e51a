// title: A block with two shortcuts
// meaning: A block has one shortcut and one placement of its activations. `ConvShortcut` is a shortcut too.
// fix: Choose.
// expect: Rejected<tenon::Block<16, tenon::Basic, tenon::ConvShortcut, tenon::Shortcut<
// expect: reason::a_block_takes_one_shortcut_and_one_placement
// expect: At<1>
#include <tenon/models/variants.hpp>

using namespace tenon;

#ifndef TENON_TWIN
struct Classifier
    : Network<Input<3, 32, 32>, Conv<16>, Block<16, Basic, ConvShortcut, Shortcut<ShortcutKind::dropout>>> {};
#else
struct Classifier : Network<Input<3, 32, 32>, Conv<16>, Block<16, Basic, Shortcut<ShortcutKind::dropout>>> {};
#endif

constexpr long parameters = parameter_count<Classifier>;
