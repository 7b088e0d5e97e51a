// title: A batch norm without epsilon
// meaning: Epsilon is added to the variance so that nothing is divided by zero, and momentum is the weight of the new
// meaning: batch: both are above 0. They are written as fractions, `Epsilon<1, 1000>` for 1e-3.
// fix: Look at the order: numerator, denominator.
// expect: Rejected<tenon::BatchNormWith<
// expect: reason::epsilon_and_momentum_must_be_positive
// expect: At<1>
#include <tenon/models/resnet_v2.hpp>

using namespace tenon;

#ifndef TENON_TWIN
struct Classifier : Network<Input<3, 32, 32>, Conv<16>, BatchNormWith<Epsilon<0, 1000>>> {};
#else
struct Classifier : Network<Input<3, 32, 32>, Conv<16>, BatchNormWith<Epsilon<1, 1000>>> {};
#endif

constexpr long parameters = parameter_count<Classifier>;
