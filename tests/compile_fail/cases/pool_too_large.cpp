// title: A pooling larger than its input
// meaning: The same as for a convolution: the window has to fit into the map.
// fix: `GlobalAvgPool` and `GlobalMaxPool` take the complete map, whatever its size.
// expect: Rejected<tenon::AvgPool<tenon::Kernel<7
// expect: reason::the_kernel_is_larger_than_the_padded_input
// expect: At<1>
// expect: Expected<(tenon::)?Shape\{16, 7, 7\}>, tenon::Got<(tenon::)?Shape\{16, 4, 4\}>
#include <tenon/models/resnet_v2.hpp>

using namespace tenon;

#ifndef TENON_TWIN
struct Classifier : Network<Input<1, 8, 8>, Conv<16, Kernel<2>, Stride<2>>, AvgPool<Kernel<7>>> {};
#else
struct Classifier : Network<Input<1, 8, 8>, Conv<16, Kernel<2>, Stride<2>>, GlobalAvgPool> {};
#endif

constexpr long parameters = parameter_count<Classifier>;
