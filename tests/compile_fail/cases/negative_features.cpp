// title: A linear layer with a negative size
// meaning: As for a convolution: a linear layer needs at least one feature.
// fix: Look for the constant that the number comes from.
// expect: Rejected<tenon::Linear<-10>
// expect: reason::sizes_and_strides_must_be_at_least_1
// expect: At<1>
// expect: Got<(tenon::)?Shape\{-10, 0, 0\}>
// page: no
#include <tenon/models/resnet_v2.hpp>

using namespace tenon;

#ifndef TENON_TWIN
struct Classifier : Network<Input<3, 32, 32>, Flatten, Linear<-10>> {};
#else
struct Classifier : Network<Input<3, 32, 32>, Flatten, Linear<10>> {};
#endif

constexpr long parameters = parameter_count<Classifier>;
