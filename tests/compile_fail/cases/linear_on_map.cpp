// title: Linear on a map
// meaning: `Linear` reads a flat vector of features, but what reaches it is a map of channels x height x width.
// meaning: `Expected` shows the vector that the map would be when flattened.
// fix: Flatten the map, or take the average of each channel first, as most networks do.
// expect: Rejected<tenon::Linear<10>,
// expect: tenon::reason::this_layer_needs_a_flat_vector_so_put_Flatten_or_a_global_pool_before_it
// expect: At<2>
// expect: Expected<(tenon::)?Shape\{16384, 0, 0\}>, tenon::Got<(tenon::)?Shape\{16, 32, 32\}>
#include <tenon/models/resnet_v2.hpp>

using namespace tenon;

#ifndef TENON_TWIN
struct Classifier : Network<Input<3, 32, 32>, Conv<16, Kernel<3>, Padding<1>>, ReLU, Linear<10>> {};
#else
struct Classifier : Network<Input<3, 32, 32>, Conv<16, Kernel<3>, Padding<1>>, ReLU, GlobalAvgPool, Linear<10>> {};
#endif

constexpr long parameters = parameter_count<Classifier>;
