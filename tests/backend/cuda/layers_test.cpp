// The other kernels in the emulator against the reference.
#include <tenon/topology/channel_ops.hpp>

#include "emulate.hpp"

namespace {

using namespace tenon;
using tenon_test::compare_both;
using tenon_test::compare_emulated;

TEST_CASE("pools with and without padding") {
    struct Max : Network<Input<20, 9, 8>, MaxPool<Kernel<3>, Stride<2>, Padding<1>>> {};
    struct MaxZero : Network<Input<20, 9, 8>, MaxPool<Kernel<3>, Stride<2>, Padding<1>, PadZero>> {};
    struct Average : Network<Input<20, 9, 8>, AvgPool<Kernel<3, 2>, Padding<1>>> {};
    struct AverageInside : Network<Input<21, 9, 8>, AvgPool<Kernel<5>, Padding<2>, PadExcluded>, ReLU> {};
    struct Asymmetric : Network<Input<22, 8, 8>, MaxPool<Kernel<3>, Stride<2>, Padding<0, 0, 1, 1>>> {};
    struct Odd : Network<Input<21, 9, 8>, MaxPool<Kernel<5>, Padding<2>>> {};
    struct Normed : Network<Input<20, 9, 8>, MaxPool<Kernel<2>>, BatchNorm, ReLU> {};
    compare_both<Max>();
    compare_emulated<MaxZero>();
    compare_emulated<Average>();
    compare_emulated<AverageInside>();
    compare_emulated<Asymmetric>();
    compare_emulated<Odd>();
    compare_emulated<Normed>();
}

TEST_CASE("global pools, flatten and linear layers") {
    struct Mean : Network<Input<20, 5, 6>, GlobalAvgPool, Linear<36>> {};
    struct Largest : Network<Input<40, 5, 6>, GlobalMaxPool, Linear<300, NoBias>, ReLU> {};
    struct Flat : Network<Input<24, 3, 2>, Conv<20, Kernel<3>, Padding<1>>, Flatten, Linear<12>> {};
    struct Norms : Network<Input<40>, Linear<20>, BatchNorm, ReLU, Dropout<>, Linear<8>> {};
    struct Identical : Network<Input<4, 5, 6>, Flatten> {};
    compare_emulated<Mean>({.batch = 7});
    compare_emulated<Largest>({.batch = 4});
    compare_both<Flat>();
    compare_emulated<Norms>();
    compare_emulated<Identical>();
}

TEST_CASE("norms, ReLUs and additions that nothing fuses") {
    struct NormFirst : Network<Input<5, 4, 3>, BatchNorm, ReLU> {};
    struct ReluFirst : Network<Input<5, 4, 3>, ReLU> {};
    struct Doubled : Network<Input<5, 4, 3>, Residual<Identity, Identity>, ReLU> {};
    struct Branches : Network<Input<5, 4, 3>, Residual<Sequential<BatchNorm, ReLU>, MaxPool<Kernel<1>>>, BatchNorm> {};
    compare_both<NormFirst>();
    compare_emulated<ReluFirst>();
    compare_emulated<Doubled>();
    compare_emulated<Branches>();
}

TEST_CASE("gates, scales and channels of zeros") {
    struct Gated : Network<Input<8, 5, 4>, Product<Identity, Sequential<Conv<8, Kernel<1>, Bias>, Sigmoid>>> {};
    struct Scaled : Network<Input<8, 5, 4>, Residual<Conv<8, Kernel<3>, Padding<1>>, Scale<1, 2>>> {};
    struct Padded : Network<Input<8, 5, 4>, PadChannels<11, Stride<2>>, ReLU> {};
    struct Exclusive
        : Network<Input<8, 5, 4>, GatedResidual<Conv<8, Kernel<3>, Padding<1>>, Identity, Conv<8, Kernel<1>, Bias>>> {};
    compare_emulated<Gated>();
    compare_emulated<Scaled>();
    compare_emulated<Padded>();
    compare_both<Exclusive>();
}

TEST_CASE("softmax, also of more classes than threads and when a linear layer reads it") {
    struct Probabilities : Network<Input<19>, Softmax> {};
    struct Many : Network<Input<1000>, Softmax> {};
    struct Reader : Network<Input<20>, Softmax, Linear<4>> {};
    compare_emulated<Probabilities>();
    compare_emulated<Many>();
    compare_emulated<Reader>();
}

TEST_CASE("a NaN is not hidden by a ReLU, a pool or a convolution") {
    struct Net : Network<Input<1, 4, 4>, Conv<2, Kernel<3>, Padding<1>>, ReLU, MaxPool<Kernel<2>>, GlobalMaxPool> {};
    Parameters<Net> parameters;
    parameters.seed(1);
    tenon_test::Emulated<Net, Precision::float32> runner{1, 4};
    runner.set_parameters(parameters.tensors());
    std::vector<float> image(16, 0.5f), result(2);
    runner.run(image.data(), result.data(), 1);
    CHECK(std::isfinite(result[0]));
    image[5] = std::numeric_limits<float>::quiet_NaN();
    runner.run(image.data(), result.data(), 1);
    CHECK(std::isnan(result[0]));
}

}  // namespace
