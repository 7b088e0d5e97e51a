// title: A negative padding
// meaning: Padding adds pixels around a map; it can't take any away.
// fix: Use a larger kernel or a stride to make a map smaller.
// expect: Rejected<tenon::MaxPool<
// expect: reason::sizes_and_strides_must_be_at_least_1_and_paddings_at_least_0
// expect: At<0>
#include <tenon/models/resnet_v2.hpp>

using namespace tenon;

#ifndef TENON_TWIN
struct Classifier : Network<Input<3, 32, 32>, MaxPool<Kernel<3>, Stride<2>, Padding<-1>>> {};
#else
struct Classifier : Network<Input<3, 32, 32>, MaxPool<Kernel<3>, Stride<2>, Padding<1>>> {};
#endif

constexpr long parameters = parameter_count<Classifier>;
