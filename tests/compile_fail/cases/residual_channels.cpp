// title: A residual whose branches have different channels
// meaning: A residual adds the result of its body to that of its shortcut, so both need the same shape. `Expected`
// meaning: shows the body's shape, `Got` the shortcut's.
// fix: Give the shortcut a 1x1 convolution (a projection) with the body's channels, or the body the channels of
// fix: its input.
// expect: Rejected<tenon::Residual<
// expect: reason::the_body_and_the_shortcut_of_this_residual_have_different_shapes
// expect: At<1>
// expect: Expected<(tenon::)?Shape\{32, 32, 32\}>, tenon::Got<(tenon::)?Shape\{16, 32, 32\}>
#include <tenon/models/resnet_v2.hpp>

using namespace tenon;

#ifndef TENON_TWIN
struct Classifier
    : Network<Input<3, 32, 32>, Conv<16>, Residual<Sequential<Conv<32, Kernel<3>, Padding<1>>, ReLU>, Identity>> {};
#else
struct Classifier
    : Network<Input<3, 32, 32>, Conv<16>, Residual<Sequential<Conv<32, Kernel<3>, Padding<1>>, ReLU>, Conv<32>>> {};
#endif

constexpr long parameters = parameter_count<Classifier>;
