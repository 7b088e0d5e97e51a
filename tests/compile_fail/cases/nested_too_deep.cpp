// title: Combinators nested too deep
// meaning: Combinators may be nested at most seven deep.
// fix: Write a list flat: a `Sequential` in a `Sequential` does nothing that one list doesn't.
// expect: reason::combinators_are_nested_too_deep
#include <tenon/models/resnet_v2.hpp>

using namespace tenon;

#ifndef TENON_TWIN
template <class Layer>
using Four = Sequential<Sequential<Sequential<Sequential<Layer>>>>;
struct Classifier : Network<Input<3, 32, 32>, Four<Four<ReLU>>> {};
#else
template <class Layer>
using Four = Sequential<Sequential<Sequential<Sequential<Layer>>>>;
struct Classifier : Network<Input<3, 32, 32>, Four<ReLU>> {};
#endif

constexpr long parameters = parameter_count<Classifier>;
