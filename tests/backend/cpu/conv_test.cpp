// Convolutions of the CPU backend against the reference: every way a map can be cut into tiles, every prologue and
// epilogue.
#include <tenon/models/resnet_v2.hpp>

#include "../compare.hpp"

namespace {

using namespace tenon;
using tenon_test::compare_with_reference;

/// Channels are brought up first, so that the second convolution reads blocks; a third one reads what it wrote.
template <int Height, int Width, class Tested>
struct Around : Network<Input<3, Height, Width>, Conv<20, Bias>, Tested, Conv<5>> {};

// The arena of one image of ResNet50V2 at 224 x 224 in bytes, borders of zeros included: the trunk of the first stack
// and the inner values of a block, and what the last stack takes for each image in flight.
using Whole = cpu::CompiledNetwork<ResNet50V2<Classes<1000>>>;
static_assert(4 * Whole::plan.single_floats == 5'678'080 && 4 * Whole::plan.image_floats == 1'107'968);

TEST_CASE("planar first convolutions") {
    struct Stem : Network<Input<3, 37, 30>, Conv<40, Kernel<7>, Stride<2>, Padding<3>, Bias>, ReLU> {};
    struct Grey : Network<Input<1, 28, 28>, Conv<16, Kernel<3>, Padding<1>>> {};
    struct Unpadded : Network<Input<15, 9, 9>, Conv<33, Kernel<2, 4>>> {};
    compare_with_reference<Stem>();
    compare_with_reference<Grey>();
    compare_with_reference<Unpadded>();
}

TEST_CASE("first convolutions over blocks") {
    struct Wide : Network<Input<17, 6, 5>, Conv<8, Kernel<3>, Padding<1>>> {};
    struct Grouped : Network<Input<6, 6, 5>, Conv<8, Kernel<3>, Padding<1>, Groups<2>>> {};
    compare_with_reference<Wide>();
    compare_with_reference<Grouped>();
}

TEST_CASE("pointwise convolutions flatten the map") {
    compare_with_reference<Around<7, 7, Conv<64>>>();
    compare_with_reference<Around<5, 11, Conv<48>>>();
    compare_with_reference<Around<1, 1, Conv<96>>>();
}

/// Pointwise convolutions whose residual, result and activated result have borders, though their sources have none.
template <int Height, int Width>
struct Bordered
    : Network<Input<3, Height, Width>, Conv<20, Bias>, Conv<24, Bias>,
              Residual<Sequential<BatchNorm, ReLU, Conv<24, Kernel<3>, Padding<1>>, ReLU, Conv<24, Bias>>, Identity>,
              Residual<Sequential<Conv<24, Kernel<3>, Padding<1>>, ReLU, Conv<24, Bias>>, Identity>,
              Conv<5, Kernel<3>, Padding<1>>> {};

/// How many steps have tiles that run over the ends of rows.
template <class Net>
consteval int wrapping_steps() {
    int count = 0;
    for (const cpu::Step& step : cpu::CompiledNetwork<Net, cpu::ConvAlgorithm::exact>::plan.steps)
        count += step.grid.wraps > 0;
    return count;
}
static_assert(wrapping_steps<Bordered<6, cpu::tile_pixels == 14 ? 15 : 7>>() >= 3);

TEST_CASE("pointwise convolutions run over the ends of rows where that saves tiles") {
    compare_with_reference<Bordered<6, 7>>();
    compare_with_reference<Bordered<7, 7>>();
    compare_with_reference<Bordered<6, 15>>();
    compare_with_reference<Bordered<7, 7>, ExactCpu>();
    compare_with_reference<Bordered<6, 15>, ExactCpu>();
}

TEST_CASE("padded convolutions on maps of all widths") {
    using Padded = Conv<32, Kernel<3>, Padding<1>>;
    compare_with_reference<Around<3, 2, Padded>>();
    compare_with_reference<Around<5, 3, Padded>>();
    compare_with_reference<Around<7, 7, Padded>>();
    compare_with_reference<Around<4, 14, Padded>>();
    compare_with_reference<Around<4, 17, Padded>>();
    compare_with_reference<Around<2, 57, Padded>>();
}

TEST_CASE("strides, uneven windows and paddings") {
    compare_with_reference<Around<9, 12, Conv<32, Kernel<3>, Stride<2>, Padding<1>>>>();
    compare_with_reference<Around<9, 12, Conv<32, Kernel<3>, Stride<2>, Padding<0, 0, 1, 1>>>>();
    compare_with_reference<Around<9, 12, Conv<32, Kernel<5, 2>, Stride<1, 3>, Padding<2, 1>>>>();
    compare_with_reference<Around<8, 8, Conv<32, Stride<2>>>>();
}

TEST_CASE("groups") {
    struct Thirds : Network<Input<3, 6, 7>, Conv<24>, Conv<36, Kernel<3>, Padding<1>, Groups<3>>, Conv<5>> {};
    struct Depthwise : Network<Input<3, 6, 7>, Conv<40>, Conv<40, Kernel<3>, Padding<1>, Groups<40>>, Conv<5>> {};
    struct ResNeXt : Network<Input<3, 6, 7>, Conv<64>, Conv<64, Kernel<3>, Padding<1>, Groups<16>>, Conv<5>> {};
    compare_with_reference<Thirds>();
    compare_with_reference<Depthwise>();
    compare_with_reference<ResNeXt>();
}

// Maps that leave the caches: a block's last convolution runs with the next block's first, and all but the last
// operations image by image.
struct Chained : Network<Input<3, 57, 40>, Conv<64>, Stack<64, 3>, GlobalAvgPool> {};
using ChainedProgram = cpu::CompiledNetwork<Chained>;
static_assert(ChainedProgram::plan.followers.size() == 2 && ChainedProgram::plan.handovers.size() == 1);
static_assert(ChainedProgram::steps - ChainedProgram::plan.joint == 2);  // the average and the copy of the result

TEST_CASE("chains of convolutions, image by image") {
    compare_with_reference<Chained>();
    compare_with_reference<Chained, ExactCpu>(1, 4, 1);
    compare_with_reference<Chained>(1, 4, 5);
}

/// A stem whose result leaves the caches, and what follows it.
template <class... After>
struct PooledStem
    : Network<Input<3, 127, 101>, Conv<64, Kernel<7>, Stride<2>, Padding<3>, Bias>, After..., GlobalAvgPool> {};

template <class Net>
inline constexpr int chains = cpu::CompiledNetwork<Net>::plan.followers.size();

TEST_CASE("a stem and the pooling that alone reads it are one step") {
    using Usual = PooledStem<ReLU, MaxPool<Kernel<3>, Stride<2>, Padding<1>>, BatchNorm, ReLU>;
    using Skipping = PooledStem<AvgPool<Kernel<2>, Stride<3>>>;                 // a row in between is read by no window
    using Overlapping = PooledStem<AvgPool<Kernel<5>, Stride<1>, Padding<2>>>;  // four rows are read by two strips
    using Everything = PooledStem<MaxPool<Kernel<64, 51>>>;
    static_assert(chains<Usual> == 1 && chains<Skipping> == 1 && chains<Overlapping> == 1 && chains<Everything> == 1);
    compare_with_reference<Usual>(1, 4, 2);
    compare_with_reference<Usual, ExactCpu>(3, 4, 5);
    compare_with_reference<Skipping>(2, 4, 2);
    compare_with_reference<Overlapping>(2, 4, 2);
    compare_with_reference<Everything>();
    // The addition reads the result of the stem as well.
    using Shared = PooledStem<Residual<MaxPool<Kernel<3>, Stride<1>, Padding<1>>, Identity>>;
    static_assert(chains<Shared> == 0);
    compare_with_reference<Shared>();
}

TEST_CASE("residual blocks: identity, subsampled, projected, strided") {
    using Preactivation = Sequential<BatchNorm, ReLU>;
    struct Listing : Network<Input<3, 14, 14>, Conv<16>, Stack<8, 3>, BatchNorm, ReLU, GlobalAvgPool> {};
    struct Odd : Network<Input<3, 7, 9>, Conv<16>, Stack<8, 2>, Stack<12, 2, Stride<1>>> {};
    struct StridedProjection : Network<Input<3, 9, 9>, Conv<16>,
                                       PreactivatedResidual<Preactivation, Conv<40, Kernel<3>, Stride<2>, Padding<1>>,
                                                            Conv<40, Stride<2>>, ShortcutFrom::preactivation>> {};
    struct Original : Network<Input<3, 8, 8>, Conv<16>,
                              Residual<Sequential<Conv<24, Kernel<3>, Stride<2>, Padding<1>>, BatchNorm, ReLU,
                                                  Conv<24, Kernel<3>, Padding<1>>, BatchNorm>,
                                       Sequential<Conv<24, Stride<2>>, BatchNorm>>,
                              ReLU> {};
    compare_with_reference<Listing>();
    compare_with_reference<Odd>();
    compare_with_reference<StridedProjection>();
    compare_with_reference<Original>();
}

}  // namespace
