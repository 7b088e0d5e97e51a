// title: A dropout that drops everything
// meaning: The rate of a dropout is at least 0 and below 1; `Rate<1, 2>` is one half. `Got` shows the two numbers.
// fix: Write the rate as a fraction.
// expect: Rejected<tenon::Dropout<tenon::Rate<5, 1> ?>,
// expect: tenon::reason::the_rate_of_a_dropout_must_be_at_least_0_and_below_1
// expect: At<1>
#include <tenon/models/resnet_v2.hpp>

using namespace tenon;

#ifndef TENON_TWIN
struct Classifier : Network<Input<3, 32, 32>, Flatten, Dropout<Rate<5, 1>>, Linear<10>> {};
#else
struct Classifier : Network<Input<3, 32, 32>, Flatten, Dropout<Rate<5, 10>>, Linear<10>> {};
#endif

constexpr long parameters = parameter_count<Classifier>;
