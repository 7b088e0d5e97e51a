// title: An input without pixels
// meaning: Each dimension of `Input` is at least 1.
// fix: The order is channels, height, width.
// expect: Rejected<tenon::Input<3, 0, 224>,
// expect: tenon::reason::input_dimensions_must_be_positive
// expect: Got<(tenon::)?Shape\{3, 0, 224\}>
#include <tenon/models/resnet_v2.hpp>

using namespace tenon;

#ifndef TENON_TWIN
struct Classifier : Network<Input<3, 0, 224>, Conv<16>> {};
#else
struct Classifier : Network<Input<3, 224, 224>, Conv<16>> {};
#endif

constexpr long parameters = parameter_count<Classifier>;
