// title: A pooling whose padding is as large as its kernel
// meaning: A window could then be entirely in the padding, where there is no largest value. `Expected` shows the
// meaning: smallest kernel for the padding, `Got` the kernel.
// fix: Use less padding or a larger kernel.
// expect: Rejected<tenon::MaxPool<
// expect: reason::the_padding_of_a_pooling_must_be_smaller_than_its_kernel
// expect: At<0>
// expect: Expected<(tenon::)?Shape\{3, 3, 3\}>, tenon::Got<(tenon::)?Shape\{3, 2, 2\}>
#include <tenon/models/resnet_v2.hpp>

using namespace tenon;

#ifndef TENON_TWIN
struct Classifier : Network<Input<3, 32, 32>, MaxPool<Kernel<2>, Padding<2>>> {};
#else
struct Classifier : Network<Input<3, 32, 32>, MaxPool<Kernel<3>, Padding<1>>> {};
#endif

constexpr long parameters = parameter_count<Classifier>;
