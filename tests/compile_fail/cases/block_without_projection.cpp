// title: A block whose input has other channels
// meaning: A `Block<64>` yields 256 channels. Without `ConvShortcut` its shortcut is its input, which has 64 here.
// fix: The first block of a row needs `ConvShortcut`; `Stack` sees to that by itself.
// expect: Rejected<tenon::Block<64>
// expect: reason::the_body_and_the_shortcut_of_this_residual_have_different_shapes
// expect: At<1>
// expect: Expected<(tenon::)?Shape\{256, 56, 56\}>, tenon::Got<(tenon::)?Shape\{64, 56, 56\}>
#include <tenon/models/resnet_v2.hpp>

using namespace tenon;

#ifndef TENON_TWIN
struct Classifier : Network<Input<3, 56, 56>, Conv<64>, Block<64>, Block<64>> {};
#else
struct Classifier : Network<Input<3, 56, 56>, Conv<64>, Block<64, ConvShortcut>, Block<64>> {};
#endif

constexpr long parameters = parameter_count<Classifier>;
