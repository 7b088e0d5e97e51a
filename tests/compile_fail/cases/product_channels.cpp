// title: A product whose factors have different channels
// meaning: A product multiplies element by element, so both factors need the same shape. `Expected` shows the first one's,
// meaning: `Got` the second one's.
// fix: Give the gate's last convolution the channels of what it multiplies.
// expect: Rejected<tenon::Product<
// expect: reason::the_two_factors_of_this_product_have_different_shapes
// expect: At<1>
// expect: Expected<(tenon::)?Shape\{16, 32, 32\}>, tenon::Got<(tenon::)?Shape\{8, 32, 32\}>
#include <tenon/models/resnet_v2.hpp>
#include <tenon/topology/channel_ops.hpp>

using namespace tenon;

#ifndef TENON_TWIN
struct Classifier : Network<Input<3, 32, 32>, Conv<16>, Product<Identity, Sequential<Conv<8, Bias>, Sigmoid>>> {};
#else
struct Classifier : Network<Input<3, 32, 32>, Conv<16>, Product<Identity, Sequential<Conv<16, Bias>, Sigmoid>>> {};
#endif

constexpr long parameters = parameter_count<Classifier>;
