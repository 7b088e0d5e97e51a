// title: A residual whose shortcut misses the stride
// meaning: The body of this pre-activated residual halves the map and its shortcut doesn't. `At<1, 0>` is entry 0 of
// meaning: the `Sequential` that is layer 1 of the network.
// fix: Give both branches the same stride; a `MaxPool<Kernel<1>, Stride<2>>` takes every second pixel.
// expect: Rejected<tenon::PreactivatedResidual<
// expect: reason::the_body_and_the_shortcut_of_this_residual_have_different_shapes
// expect: At<1, 0>
// expect: Inside<tenon::Sequential<
// expect: Expected<(tenon::)?Shape\{16, 16, 16\}>, tenon::Got<(tenon::)?Shape\{16, 32, 32\}>
#include <tenon/models/resnet_v2.hpp>

using namespace tenon;

#ifndef TENON_TWIN
using Halving = Conv<16, Kernel<3>, Stride<2>, Padding<1>>;
struct Classifier : Network<Input<3, 32, 32>, Conv<16>,
                            Sequential<PreactivatedResidual<Sequential<BatchNorm, ReLU>, Halving, Identity>, ReLU>> {};
#else
using Halving = Conv<16, Kernel<3>, Stride<2>, Padding<1>>;
struct Classifier
    : Network<
          Input<3, 32, 32>, Conv<16>,
          Sequential<PreactivatedResidual<Sequential<BatchNorm, ReLU>, Halving, MaxPool<Kernel<1>, Stride<2>>>, ReLU>> {
};
#endif

constexpr long parameters = parameter_count<Classifier>;
