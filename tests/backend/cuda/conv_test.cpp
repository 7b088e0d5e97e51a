// The convolution kernel in the emulator against the reference: windows, strides, groups, what is fused, tiles and
// splits.
#include <cstring>

#include "emulate.hpp"
#if defined(__CUDACC__)
#include "compare_products.hpp"
#endif

namespace {

using namespace tenon;
using tenon_test::compare_both;
using tenon_test::compare_emulated;
using tenon_test::compare_precisions;
using tenon_test::emulated_results;

constexpr cuda::ConvChoice chosen(long pixels, int outputs, int depth, int copy_bytes = 16) {
    return cuda::choose_conv(Precision::bfloat16, pixels, outputs, 1, depth, copy_bytes, 132);
}
static_assert(chosen(256L * 56 * 56, 256, 64).tile == 0);
static_assert(chosen(49, 512, 4608).splits > 1);
// One large block alone uses a multiprocessor worse than two smaller ones.
static_assert(chosen(256L * 56 * 56, 256, 64, 8).tile == 1);
static_assert(cuda::rounds_of(3, 2) == 2 && cuda::rounds_of(3, 4) == 1.5 && cuda::rounds_of(3, 1) == 3);
static_assert(cuda::rounds_of(9, 4) == 5 && cuda::rounds_of(1, 4) == 1 && cuda::rounds_of(0, 4) == 0);
// Splits never make more blocks than run at once, which the memory for their sums relies on.
static_assert([] {
    for (const Precision precision : {Precision::float32, Precision::float16})
        for (const long pixels : {1, 49, 196, 784, 3136, 12544})
            for (const int outputs : {10, 64, 512, 2048})
                for (const int depth : {16, 147, 576, 4608}) {
                    const auto choice = cuda::choose_conv(precision, pixels, outputs, 1, depth, 16, 132);
                    const auto tile = cuda::conv_tile(precision, choice.tile);
                    const long blocks = cuda::blocks_of(pixels, tile.pixels) * cuda::blocks_of(outputs, tile.outputs);
                    const int at_once = cuda::blocks_at_once(precision, choice.tile, 16);
                    if (choice.splits > 1 && blocks * choice.splits > at_once * 132) return false;
                    if (choice.splits > 1 && pixels * outputs * choice.splits > cuda::partial_floats(precision, 132))
                        return false;
                    if (choice.splits > 1 && blocks > cuda::conv_tickets(precision, 132)) return false;
                }
    return true;
}());

TEST_CASE("1x1 convolutions") {
    struct Plain : Network<Input<24, 5, 6>, Conv<40, Kernel<1>>> {};
    struct Strided : Network<Input<24, 5, 6>, Conv<20, Kernel<1>, Stride<2>, Bias>, ReLU> {};
    struct OddChannels : Network<Input<13, 4, 5>, Conv<7, Kernel<1>, Bias>> {};
    compare_precisions<Plain>();
    compare_both<Strided>();
    compare_both<OddChannels>();
}

TEST_CASE("windows, strides and paddings") {
    struct Square : Network<Input<16, 9, 8>, Conv<24, Kernel<3>, Padding<1>>, BatchNorm, ReLU> {};
    struct Strided : Network<Input<8, 9, 8>, Conv<12, Kernel<3>, Stride<2>, Padding<1>, Bias>> {};
    struct Oblong : Network<Input<6, 9, 8>, Conv<10, Kernel<3, 2>, Stride<2>, Padding<1, 0>>> {};
    struct Stem : Network<Input<3, 21, 20>, Conv<16, Kernel<7>, Stride<2>, Padding<3>, Bias>> {};
    struct Grey : Network<Input<1, 11, 9>, Conv<5, Kernel<5>, Padding<2>>> {};
    compare_precisions<Square>();
    compare_both<Strided>();
    compare_emulated<Oblong>();
    compare_both<Stem>();
    compare_emulated<Grey>();
}

TEST_CASE("groups") {
    struct Two : Network<Input<16, 6, 5>, Conv<24, Kernel<3>, Padding<1>, Groups<2>>> {};
    struct Many : Network<Input<12, 6, 5>, Conv<12, Kernel<3>, Padding<1>, Groups<12>, Bias>, ReLU> {};
    struct Mixed : Network<Input<8, 6, 5>, Conv<8, Kernel<1>>,
                           Residual<Conv<16, Kernel<3>, Padding<1>, Groups<2>>, Conv<16, Kernel<1>, Bias>>> {};
    compare_both<Two>();
    compare_emulated<Many>();
    compare_both<Mixed>();
}

TEST_CASE("what is fused: residuals, strided residuals, projections, second results") {
    struct Same : Network<Input<8, 6, 6>, Conv<8, Kernel<1>>, Residual<Conv<8, Kernel<3>, Padding<1>>, Identity>, ReLU,
                          Conv<4, Kernel<1>>> {};
    struct Subsampled : Network<Input<8, 7, 6>, Conv<8, Kernel<1>>,
                                Residual<Conv<8, Kernel<3>, Stride<2>, Padding<1>>, MaxPool<Kernel<1>, Stride<2>>>> {};
    struct Projected
        : Network<Input<8, 6, 6>, Conv<12, Kernel<1>>,
                  Residual<Conv<20, Kernel<3>, Stride<2>, Padding<1>, Bias>, Conv<20, Kernel<1>, Stride<2>>>, ReLU> {};
    struct Preactivated : Network<Input<3, 16, 16>, Stem<Conv<8, Kernel<3>, Padding<1>>>, Stack<8, 2>,
                                  Head<BatchNorm, ReLU, GlobalAvgPool>> {};
    compare_both<Same>();
    compare_both<Subsampled>();
    compare_both<Projected>();
    compare_precisions<Preactivated>({}, 8);
}

TEST_CASE("every tile, with and without splits, computes the same") {
    struct Net : Network<Input<40, 12, 11>, Conv<72, Kernel<3>, Padding<1>, Bias>, BatchNorm, ReLU> {};
    // One multiprocessor takes large tiles, hundreds small ones and splits.
    for (const int multiprocessors : {1, 2, 7, 30, 400}) {
        CAPTURE(multiprocessors);
        compare_precisions<Net>({.batch = 2, .images_in_flight = 2, .multiprocessors = multiprocessors});
    }
}

TEST_CASE("results do not depend on the order of blocks and threads") {
    struct Net : Network<Input<9, 8, 7>, Conv<33, Kernel<3>, Padding<1>>, ReLU, Conv<8, Kernel<1>, Stride<2>>> {};
    // The double shuffles each launch differently.
    tenon::Parameters<Net> parameters;
    parameters.seed(7);
    tenon_test::Emulated<Net, Precision::bfloat16> runner{2, 100};
    runner.set_parameters(parameters.tensors());
    const std::vector<float> images = tenon_test::seeded_images<Net>(2);
    std::vector<float> first(static_cast<std::size_t>(2 * output_shape<Net>.elements())), next(first.size());
    runner.run(images.data(), first.data(), 2);
    for (int i = 0; i < 3; ++i) {
        runner.run(images.data(), next.data(), 2);
        CHECK(std::memcmp(first.data(), next.data(), first.size() * sizeof(float)) == 0);
    }
}

#if defined(__CUDACC__)
// Each network chooses one of the tiles that it is compiled with.
TEST_CASE("every kernel of products that the networks are compiled to, in inference and in training, runs alone") {
    using namespace tenon_test::products;
    const auto& convolutions = tenon_test::listed_kernels<tenon_test::ConvEntry>();
    const auto& gradients = tenon_test::listed_kernels<tenon_test::WeightGradientEntry>();
    for (const tenon_test::ConvEntry& kernel : convolutions) {
        const bool is_usual = kernel.spec.vector * detail::number_bytes(kernel.spec.precision) == 16 &&
                              kernel.spec.output_vector == kernel.spec.vector;
        for (const Problem& problem : is_usual ? edge_problems(kernel.spec) : conv_problems(kernel.spec))
            compare_conv(kernel, problem);
    }
    for (const tenon_test::WeightGradientEntry& kernel : gradients) {
        const bool is_usual = kernel.spec.output_vector == kernel.spec.vector;
        // There are at most 8 tiles of the depth, so of 9 splits some have nothing to add.
        compare_weight_gradient(kernel, {kernel.spec.vector, kernel.spec.output_vector},
                                is_usual ? std::vector<int>{1, 9} : std::vector<int>{5});
        // 144 columns and more outputs than a tile's: all of a thread's sums exist in some tiles.
        compare_weight_gradient(kernel, {16, kernel.spec.tile_outputs + kernel.spec.output_vector}, {2});
    }
    MESSAGE(convolutions.size() << " kernels of convolutions, " << gradients.size() << " of weight gradients");
    CHECK(convolutions.size() >= 60);
    CHECK(gradients.size() >= 20);
}
#endif

}  // namespace
