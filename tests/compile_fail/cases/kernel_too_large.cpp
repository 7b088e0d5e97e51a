// title: A kernel larger than its input
// meaning: The window of a convolution or a pooling doesn't fit into the map that reaches it, not even with its
// meaning: padding. `Expected` shows the smallest map that it would fit into, `Got` the map with the padding. It
// meaning: often happens at the end of a network that halves a small image too many times.
// fix: Use a smaller kernel, more padding or a larger image, or remove a stride from an earlier layer.
// expect: Rejected<tenon::Conv<32, tenon::Kernel<7
// expect: reason::the_kernel_is_larger_than_the_padded_input
// expect: At<2>
// expect: Expected<(tenon::)?Shape\{16, 7, 7\}>, tenon::Got<(tenon::)?Shape\{16, 6, 6\}>
#include <tenon/models/resnet_v2.hpp>

using namespace tenon;

#ifndef TENON_TWIN
struct Classifier
    : Network<Input<1, 8, 8>, Conv<16, Kernel<3>, Stride<2>, Padding<1>>, ReLU, Conv<32, Kernel<7>, Padding<1>>> {};
#else
struct Classifier
    : Network<Input<1, 8, 8>, Conv<16, Kernel<3>, Stride<2>, Padding<1>>, ReLU, Conv<32, Kernel<3>, Padding<1>>> {};
#endif

constexpr long parameters = parameter_count<Classifier>;
