// title: Channels that groups don't divide
// meaning: A grouped convolution splits its input channels and its output channels into equal parts, so `Groups` has
// meaning: to divide both. `Expected` shows the number of groups, `Got` the number of channels that it doesn't
// meaning: divide.
// fix: Choose a divisor of both numbers of channels.
// expect: Rejected<tenon::Conv<32
// expect: reason::the_channels_are_not_divisible_by_the_groups
// expect: At<1>
// expect: Expected<(tenon::)?Shape\{5, 0, 0\}>, tenon::Got<(tenon::)?Shape\{16, 0, 0\}>
#include <tenon/models/resnet_v2.hpp>

using namespace tenon;

#ifndef TENON_TWIN
struct Classifier : Network<Input<3, 32, 32>, Conv<16>, Conv<32, Kernel<3>, Groups<5>>> {};
#else
struct Classifier : Network<Input<3, 32, 32>, Conv<16>, Conv<32, Kernel<3>, Groups<4>>> {};
#endif

constexpr long parameters = parameter_count<Classifier>;
