// title: A function without a derivative
// meaning: Training needs f', and a functor that lacks it would fail far from here. Both are templates or have overloads for
// meaning: float and double: the reference backend and `test_layer` compute in double.
// fix: Add `derivative`, and check it: `test_layer<Elementwise<Softsign>, Input<4, 5, 6>>().passed()`.
// expect: Rejected<tenon::Elementwise<Softsign
// expect: reason::an_Elementwise_needs_a_functor_with_value_and_derivative_for_float_and_double
// expect: At<1>
#include <cmath>

#include <tenon/network.hpp>

using namespace tenon;

struct Softsign {
    template <class T>
    T operator()(T x) const {
        return x / (1 + std::abs(x));
    }
#ifdef TENON_TWIN
    template <class T>
    T derivative(T x) const {
        return 1 / ((1 + std::abs(x)) * (1 + std::abs(x)));
    }
#endif
};

struct Classifier : Network<Input<3, 32, 32>, Conv<16>, Elementwise<Softsign>> {};

constexpr long parameters = parameter_count<Classifier>;
