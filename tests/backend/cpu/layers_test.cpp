// The other layers of the CPU backend against the reference.
#include <cmath>

#include "../../functions.hpp"
#include "../compare.hpp"

namespace {

using namespace tenon;
using tenon_test::compare_with_reference;

TEST_CASE("pools with and without padding") {
    struct Max : Network<Input<20, 9, 8>, MaxPool<Kernel<3>, Stride<2>, Padding<1>>> {};
    struct MaxZero : Network<Input<20, 9, 8>, MaxPool<Kernel<3>, Stride<2>, Padding<1>, PadZero>> {};
    struct Average : Network<Input<20, 9, 8>, AvgPool<Kernel<3, 2>, Padding<1>>> {};
    struct AverageInside : Network<Input<20, 9, 8>, AvgPool<Kernel<3>, Padding<1>, PadExcluded>, ReLU> {};
    struct Asymmetric : Network<Input<20, 8, 8>, MaxPool<Kernel<3>, Stride<2>, Padding<0, 0, 1, 1>>> {};
    compare_with_reference<Max>();
    compare_with_reference<MaxZero>();
    compare_with_reference<Average>();
    compare_with_reference<AverageInside>();
    compare_with_reference<Asymmetric>();
}

TEST_CASE("a pool pads with nothing or with zeros, and they differ on negative values") {
    struct Lowest : Network<Input<1, 2, 2>, MaxPool<Kernel<3>, Stride<2>, Padding<1>>> {};
    struct Zero : Network<Input<1, 2, 2>, MaxPool<Kernel<3>, Stride<2>, Padding<1>, PadZero>> {};
    const std::vector<float> negative{-4, -3, -2, -1};
    Model<Lowest> lowest;
    Model<Zero> zero;
    lowest.set_parameters({});
    zero.set_parameters({});
    CHECK(lowest(negative)[0] == -1);
    CHECK(zero(negative)[0] == 0);
}

TEST_CASE("global pools, flatten and linear layers") {
    struct Mean : Network<Input<21, 5, 6>, GlobalAvgPool, Linear<37>> {};
    struct Largest : Network<Input<21, 5, 6>, GlobalMaxPool, Linear<300, NoBias>, ReLU> {};
    struct Flat : Network<Input<21, 3, 2>, Conv<18, Kernel<3>, Padding<1>>, Flatten, Linear<10>> {};
    struct Norms : Network<Input<40>, Linear<20>, BatchNorm, ReLU, Dropout<>, Linear<7>> {};
    struct Identical : Network<Input<4, 5, 6>, Flatten> {};
    compare_with_reference<Mean>(7);
    compare_with_reference<Largest>(4);
    compare_with_reference<Flat>();
    compare_with_reference<Norms>();
    compare_with_reference<Identical>();
}

TEST_CASE("a user's functions of each element") {
    using tenon_test::Mish, tenon_test::RaisedCosine;
    struct Plain : Network<Input<21, 7, 5>, Elementwise<RaisedCosine>> {};
    struct Between : Network<Input<3, 9, 9>, Conv<20, Kernel<3>, Padding<1>>, BatchNorm, Elementwise<RaisedCosine>,
                             Conv<18, Kernel<3>, Padding<1>>, Elementwise<Mish>, BatchNorm, ReLU, GlobalAvgPool,
                             Linear<5>, Elementwise<Mish>> {};
    static_assert(output_shape<Plain> == Shape{21, 7, 5} && parameter_count<Plain> == 0);
    compare_with_reference<Plain>();
    compare_with_reference<Between>();

    Model<Plain> model;
    model.set_parameters({});
    const std::vector<float> image(21 * 7 * 5, 1.25f);
    CHECK(model(image)[0] == RaisedCosine{}(1.25f));
}

TEST_CASE("norms, ReLUs and additions that nothing fuses") {
    struct NormFirst : Network<Input<5, 4, 3>, BatchNorm, ReLU> {};
    struct Doubled : Network<Input<5, 4, 3>, Residual<Identity, Identity>, ReLU> {};
    struct Branches : Network<Input<5, 4, 3>, Residual<Sequential<BatchNorm, ReLU>, MaxPool<Kernel<1>>>, BatchNorm> {};
    compare_with_reference<NormFirst>();
    compare_with_reference<Doubled>();
    compare_with_reference<Branches>();
}

TEST_CASE("norms of the input are read as planes by convolutions alone") {
    using Padded = Conv<20, Kernel<3>, Padding<1>, Stride<2>>;
    struct Normed : Network<Input<3, 9, 8>, BatchNorm, Padded> {};
    struct Activated : Network<Input<3, 9, 8>, BatchNorm, ReLU, Padded> {};
    struct Scaled : Network<Input<1, 9, 8>, Scale<-1, 2>, Padded> {};
    struct Twice : Network<Input<3, 9, 8>, BatchNorm, Residual<Conv<3, Kernel<3>, Padding<1>>, Identity>> {};
    struct Raw : Network<Input<3, 9, 8>, Residual<Sequential<BatchNorm, Conv<3>>, Conv<3>>> {};
    struct Grouped : Network<Input<6, 9, 8>, BatchNorm, Conv<8, Groups<2>>> {};
    struct Projected : Network<Input<3, 9, 8>,
                               PreactivatedResidual<Sequential<BatchNorm, ReLU>, Sequential<Conv<20>, ReLU, Conv<20>>,
                                                    Conv<20>, ShortcutFrom::preactivation>> {};
    constexpr auto is_planar = []<class Net>(std::type_identity<Net>) {
        return cpu::CompiledNetwork<Net>::plan.steps[1].source().planar;
    };
    static_assert(is_planar(std::type_identity<Normed>{}) && is_planar(std::type_identity<Activated>{}) &&
                  is_planar(std::type_identity<Scaled>{}));
    static_assert(!is_planar(std::type_identity<Twice>{}) && !is_planar(std::type_identity<Raw>{}) &&
                  !is_planar(std::type_identity<Grouped>{}) && !is_planar(std::type_identity<Projected>{}));
    compare_with_reference<Normed>();
    compare_with_reference<Activated>();
    compare_with_reference<Scaled>();
    compare_with_reference<Twice>();
    compare_with_reference<Raw>();
    compare_with_reference<Grouped>();
    compare_with_reference<Projected>();
}

TEST_CASE("a ReLU that nothing before it can apply") {
    struct First : Network<Input<5, 4, 3>, ReLU> {};
    struct BothPaths : Network<Input<5, 4, 3>, ReLU, Residual<Conv<5, Kernel<3>, Padding<1>>, Identity>> {};
    struct RawToo : Network<Input<5, 4, 3>, Residual<Conv<5>, ReLU>> {};
    struct BeforeNorm : Network<Input<5, 4, 3>, ReLU, BatchNorm, ReLU> {};
    struct BehindGates : Network<Input<5, 4, 3>, Conv<5>, Scale<-1, 2>, ReLU, Product<Identity, Conv<5>>, ReLU,
                                 PadChannels<20>, ReLU, GlobalAvgPool, ReLU> {};
    struct Flat : Network<Input<19>, ReLU, Linear<3>> {};
    compare_with_reference<First>();
    compare_with_reference<BothPaths>();
    compare_with_reference<RawToo>();
    compare_with_reference<BeforeNorm>();
    compare_with_reference<BehindGates>();
    compare_with_reference<Flat>();
}

TEST_CASE("softmax, also when a linear layer reads it") {
    struct Probabilities : Network<Input<19>, Softmax> {};
    struct Reader : Network<Input<19>, Softmax, Linear<3>> {};
    compare_with_reference<Probabilities>();
    compare_with_reference<Reader>();
}

TEST_CASE("a NaN is not hidden by a ReLU, a pool or a convolution") {
    struct Net : Network<Input<1, 4, 4>, Conv<2, Kernel<3>, Padding<1>>, ReLU, MaxPool<Kernel<2>>, GlobalMaxPool> {};
    Model<Net> model;
    model.initialize(1);
    std::vector<float> image(16, 0.5f);
    CHECK(std::isfinite(model(image)[0]));
    image[5] = std::numeric_limits<float>::quiet_NaN();
    CHECK(std::isnan(model(image)[0]));
}

TEST_CASE("whole networks") {
    struct TwoStacks : Network<Input<3, 32, 32>, Stem<Conv<24, Kernel<3>, Padding<1>>>, Stack<8, 3>, Stack<16, 2>,
                               Head<BatchNorm, ReLU, GlobalAvgPool, Linear<10>>> {};
    compare_with_reference<TwoStacks>(5, 8);
    compare_with_reference<TwoStacks>(1, 8, 3);
}

}  // namespace
