// title: A layer without outputs
// meaning: A convolution needs at least one output channel and a linear layer at least one feature. `Got` shows the
// meaning: number given.
// fix: Look for the constant that the number comes from.
// expect: Rejected<tenon::Conv<0
// expect: reason::sizes_and_strides_must_be_at_least_1_and_paddings_at_least_0
// expect: At<0>
// expect: Got<(tenon::)?Shape\{0, 0, 0\}>|Got<(tenon::)?Shape\{\}>
#include <tenon/models/resnet_v2.hpp>

using namespace tenon;

#ifndef TENON_TWIN
constexpr int width = 1;
struct Classifier : Network<Input<3, 32, 32>, Conv<16 * (width / 2)>> {};
#else
constexpr int width = 2;
struct Classifier : Network<Input<3, 32, 32>, Conv<16 * (width / 2)>> {};
#endif

constexpr long parameters = parameter_count<Classifier>;
