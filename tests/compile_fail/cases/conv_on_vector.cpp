// title: Conv on a flat vector
// meaning: A convolution or a pooling slides over a map of channels x height x width, but what reaches it is a flat
// meaning: vector.
// fix: Keep the map until the last convolution: move `Flatten` or the global pool after it.
// expect: Rejected<tenon::Conv<32
// expect: reason::this_layer_needs_channels_x_height_x_width_but_gets_a_flat_vector
// expect: At<2>
// expect: Got<(tenon::)?Shape\{3072, 0, 0\}>
#include <tenon/models/resnet_v2.hpp>

using namespace tenon;

#ifndef TENON_TWIN
struct Classifier : Network<Input<3, 32, 32>, Flatten, ReLU, Conv<32, Kernel<3>>> {};
#else
struct Classifier : Network<Input<3, 32, 32>, Conv<32, Kernel<3>>, ReLU, Flatten> {};
#endif

constexpr long parameters = parameter_count<Classifier>;
