// title: A layer deep inside
// meaning: The position leads to the layer through the combinators around it: `At<1, 0, 0, 2>` is layer 1 of the
// meaning: network, in it entry 0 (of a `Repeat`: its layer), in that entry 0 (of a `Residual`: its body), and there
// meaning: the layer with index 2.
// fix: As for the same error elsewhere.
// expect: Rejected<tenon::Conv<16, tenon::Kernel<5
// expect: reason::the_kernel_is_larger_than_the_padded_input
// expect: At<1, 0, 0, 2>
// expect: Inside<tenon::Repeat<3, tenon::Residual<
#include <tenon/models/resnet_v2.hpp>

using namespace tenon;

#ifndef TENON_TWIN
using Body = Sequential<Conv<16>, ReLU, Conv<16, Kernel<5>>>;
struct Classifier : Network<Input<3, 4, 4>, Conv<16>, Repeat<3, Residual<Body, Identity>>> {};
#else
using Body = Sequential<Conv<16>, ReLU, Conv<16, Kernel<3>, Padding<1>>>;
struct Classifier : Network<Input<3, 4, 4>, Conv<16>, Repeat<3, Residual<Body, Identity>>> {};
#endif

constexpr long parameters = parameter_count<Classifier>;
