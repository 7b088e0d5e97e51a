// title: A stride of 0
// meaning: Windows that don't move never reach the end of the map. A stride is at least 1, as is each side of a
// meaning: kernel. `Got` shows the stride and then the kernel.
// fix: Leave `Stride` out for a stride of 1.
// expect: Rejected<tenon::Conv<16
// expect: reason::sizes_and_strides_must_be_at_least_1_and_paddings_at_least_0
// expect: At<0>
// expect: Got<(tenon::)?Shape\{0, 3, 3\}>
#include <tenon/models/resnet_v2.hpp>

using namespace tenon;

#ifndef TENON_TWIN
struct Classifier : Network<Input<3, 32, 32>, Conv<16, Kernel<3>, Stride<0>>> {};
#else
struct Classifier : Network<Input<3, 32, 32>, Conv<16, Kernel<3>>> {};
#endif

constexpr long parameters = parameter_count<Classifier>;
