// title: Something that is not a layer
// meaning: An entry of the list has no function `lower`, so it isn't a layer. It is often an option that belongs
// meaning: inside a layer's own brackets, or a layer of your own that isn't finished.
// fix: Move the option into its layer. A layer of your own needs `static constexpr Cursor lower(Builder&,
// fix: Cursor)`.
// expect: Rejected<tenon::Padding<1>,
// expect: tenon::reason::this_is_not_a_layer
// expect: At<1>
#include <tenon/models/resnet_v2.hpp>

using namespace tenon;

#ifndef TENON_TWIN
struct Classifier : Network<Input<3, 32, 32>, Conv<16, Kernel<3>>, Padding<1>, ReLU> {};
#else
struct Classifier : Network<Input<3, 32, 32>, Conv<16, Kernel<3>, Padding<1>>, ReLU> {};
#endif

constexpr long parameters = parameter_count<Classifier>;
