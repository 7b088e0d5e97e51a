// Finite differences for every layer, and the proof that they notice a wrong gradient.
#include <doctest/doctest.h>

#include <tenon/tenon.hpp>
#include <tenon/train/testing/test_layer.hpp>

#include "../functions.hpp"

namespace {
using namespace tenon;

template <class Layer, class In>
void check() {
    const LayerTestResult result = test_layer<Layer, In>();
    CAPTURE(result.worst);
    CAPTURE(result.worst_error);
    CHECK(result.probed > 0);
    CHECK(result.discarded <= result.probed / 2);
    CHECK(result.passed());
}

using Map = Input<4, 7, 6>;

TEST_CASE("gradients of convolutions equal finite differences") {
    check<Conv<5, Kernel<3>, Padding<1>, Bias>, Map>();
    check<Conv<3, Kernel<3>, Stride<2>, Padding<1>>, Map>();
    check<Conv<3, Kernel<3, 2>, Stride<1, 2>, Padding<0, 1, 2, 0>, Bias>, Map>();
    check<Conv<8, Kernel<3>, Stride<2>, Padding<1>, Groups<4>>, Map>();
    check<Conv<4, Kernel<3>, Padding<1>, Groups<4>>, Map>();
    check<Conv<6, Stride<2>>, Map>();
    check<Conv<2, Kernel<1>, Padding<1>>, Map>();
    check<Conv<2, Kernel<5>, Stride<3>, Padding<2>>, Map>();
}

TEST_CASE("gradients of linear layers equal finite differences") {
    check<Linear<7>, Input<5>>();
    check<Linear<3, NoBias>, Input<5>>();
    check<Sequential<Flatten, Linear<4>>, Map>();
}

TEST_CASE("gradients of batch norm, ReLU, dropout and softmax equal finite differences") {
    check<BatchNorm, Map>();
    check<BatchNormWith<Epsilon<1, 10>>, Input<6>>();
    check<Sequential<BatchNorm, ReLU>, Map>();
    check<ReLU, Map>();
    check<Dropout<Rate<1, 4>>, Map>();
    check<BatchNormWith<NoAffine>, Map>();
    check<Scale<-3, 2>, Map>();
    check<Sigmoid, Map>();
    check<Elementwise<tenon_test::Mish>, Map>();
    check<Sequential<Conv<5>, Elementwise<tenon_test::RaisedCosine>, BatchNorm>, Map>();
    check<PadChannels<7, Stride<2>>, Map>();
    check<Product<Identity, Sigmoid>, Map>();
    check<GatedResidual<Conv<4>, Identity, Conv<4, Bias>>, Map>();
    check<Sequential<Linear<5>, Softmax, Linear<3>>, Input<6>>();
}

TEST_CASE("gradients of poolings equal finite differences") {
    check<MaxPool<Kernel<2>>, Map>();
    check<MaxPool<Kernel<3>, Stride<2>, Padding<1>>, Map>();
    check<MaxPool<Kernel<3>, Stride<2>, Padding<1>, PadZero>, Map>();
    check<MaxPool<Kernel<1>, Stride<2>>, Map>();
    check<AvgPool<Kernel<3>, Stride<2>, Padding<1>>, Map>();
    check<AvgPool<Kernel<3>, Stride<2>, Padding<1>, PadExcluded>, Map>();
    check<GlobalAvgPool, Map>();
    check<GlobalMaxPool, Map>();
}

TEST_CASE("gradients of residual blocks equal finite differences") {
    check<Block<2, ConvShortcut>, Map>();
    check<Block<1>, Map>();
    check<Block<1, Stride<2>>, Map>();
    check<detail::BasicBlock<6, 2, true>, Map>();
    check<detail::Bottleneck<1>, Map>();
    check<Residual<Identity, Identity>, Map>();
    check<Residual<Conv<4, Kernel<3>, Padding<1>>, Identity>, Map>();
    check<Residual<ReLU, Residual<Conv<4>, Dropout<>>>, Map>();
    check<Recompute<Block<2, ConvShortcut>, Block<2, Stride<2>>>, Map>();
    check<Sequential<Conv<3>, Frozen<Conv<4, Kernel<3>>, BatchNorm, ReLU>, Flatten, Linear<2>>, Input<2, 5, 5>>();
}

TEST_CASE("gradients of the papers' blocks equal finite differences") {
    using enum ShortcutKind;
    using enum ActivationPlacement;
    check<Block<6, Basic, Stride<2>, PadShortcut, Shortcut<constant_scaling>, Placement<original>>, Map>();
    check<Block<6, Basic, Stride<2>, PadShortcut, Shortcut<exclusive_gating>, Placement<original>>, Map>();
    check<Block<4, Basic, Shortcut<shortcut_only_gating>, Placement<norm_after_addition>>, Map>();
    check<Block<6, Basic, Stride<2>, ConvShortcut, Placement<relu_before_addition>>, Map>();
    check<Block<4, Basic, Shortcut<dropout>, Placement<original>>, Map>();
    check<Block<6, Basic, Stride<2>, PadShortcut, PreactivateShortcut, Placement<relu_only_preactivation>>, Map>();
    check<Block<2, PadShortcut, PreactivateShortcut>, Map>();
}

TEST_CASE("a difference that is no derivative is noticed") {
    LayerTestOptions coarse{};
    coarse.step = 0.3;
    const LayerTestResult result = test_layer<BatchNorm, Map>(coarse);
    CHECK((!result.passed() || result.discarded > 0));
}

}  // namespace
