// title: A network without its Input
// meaning: A network's first entry is the shape of what goes in; the shapes of all layers follow from it.
// fix: Begin with `Input<channels, height, width>` for maps or `Input<features>` for flat vectors.
// expect: Rejected<tenon::Conv<16>,
// expect: tenon::reason::a_network_begins_with_its_Input_before_the_first_layer
// expect: At<0>
#include <tenon/models/resnet_v2.hpp>

using namespace tenon;

#ifndef TENON_TWIN
struct Classifier : Network<Conv<16>, ReLU> {};
#else
struct Classifier : Network<Input<3, 32, 32>, Conv<16>, ReLU> {};
#endif

constexpr long parameters = parameter_count<Classifier>;
