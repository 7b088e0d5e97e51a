// title: Softmax on a map
// meaning: `Softmax` turns a flat vector of logits into probabilities; a map of channels x height x width has to be
// meaning: flattened or pooled first.
// fix: Put `Flatten` or a global pool before it.
// expect: Rejected<tenon::Softmax,
// expect: tenon::reason::this_layer_needs_a_flat_vector
// expect: At<1>
// expect: Got<(tenon::)?Shape\{10, 32, 32\}>
#include <tenon/models/resnet_v2.hpp>

using namespace tenon;

#ifndef TENON_TWIN
struct Classifier : Network<Input<3, 32, 32>, Conv<10>, Softmax> {};
#else
struct Classifier : Network<Input<3, 32, 32>, Conv<10>, GlobalAvgPool, Softmax> {};
#endif

constexpr long parameters = parameter_count<Classifier>;
