// Winograd convolutions against the reference, and where they are chosen.
#include <algorithm>

#include "../../support.hpp"
#include "../compare.hpp"

namespace {

using namespace tenon;
using tenon_test::compare_with_reference;

/// The m of a network's steps, largest first found; 0 if all are direct.
template <class Net>
constexpr int largest_m = [] {
    int largest = 0;
    for (const cpu::Step& step : cpu::CompiledNetwork<Net>::plan.steps) largest = std::max(largest, step.winograd.m);
    return largest;
}();

using Padded = Conv<64, Kernel<3>, Padding<1>>;

struct Even : Network<Input<3, 16, 16>, Conv<64>, Padded> {};
struct Uneven : Network<Input<3, 13, 22>, Conv<64>, Conv<48, Kernel<3>, Padding<1>>, ReLU> {};
struct Unpadded : Network<Input<3, 18, 15>, Conv<64>, Conv<64, Kernel<3>>, BatchNorm> {};
struct Asymmetric : Network<Input<3, 16, 16>, Conv<64>, Conv<64, Kernel<3>, Padding<0, 1, 2, 1>>> {};
struct Basic : Network<Input<3, 20, 20>, Conv<64>,
                       Residual<Sequential<Padded, BatchNorm, ReLU, Padded, BatchNorm>, Identity>, ReLU> {};
struct Preactivated
    : Network<Input<3, 20, 20>, Conv<64>,
              PreactivatedResidual<Sequential<BatchNorm, ReLU>, Sequential<Padded, BatchNorm, ReLU, Padded>, Identity>,
              BatchNorm, ReLU, Padded> {};
struct Deep : Network<Input<3, 14, 14>, Conv<128>, Conv<128, Kernel<3>, Padding<1>>> {};
struct Seven : Network<Input<3, 7, 7>, Conv<96>, Conv<96, Kernel<3>, Padding<1>>> {};

// Where it gains it is chosen, never for other windows, strides, groups, or when exactness is asked for.
static_assert(largest_m<Even> > 0 && largest_m<Deep> > 0 && largest_m<Basic> > 0);
struct Strided : Network<Input<3, 32, 32>, Conv<64>, Conv<64, Kernel<3>, Padding<1>, Stride<2>>> {};
struct Five : Network<Input<3, 32, 32>, Conv<64>, Conv<64, Kernel<5>, Padding<2>>> {};
struct Grouped : Network<Input<3, 32, 32>, Conv<64>, Conv<64, Kernel<3>, Padding<1>, Groups<2>>> {};
static_assert(largest_m<Strided> == 0 && largest_m<Five> == 0 && largest_m<Grouped> == 0);
constexpr bool exact_is_direct = [] {
    for (const cpu::Step& step : cpu::CompiledNetwork<Even, cpu::ConvAlgorithm::exact>::plan.steps)
        if (step.winograd.m > 0) return false;
    return true;
}();
static_assert(exact_is_direct);

// Few tiles of many channels are computed on plain filters where the instruction set allows it, and only there.
struct Small : Network<Input<3, 7, 7>, Conv<128>, Conv<128, Kernel<3>, Padding<1>>> {};
struct OddBlocks : Network<Input<3, 11, 3>, Conv<136>, Conv<150, Kernel<3>, Padding<1>>, BatchNorm> {};
struct SmallBlocks
    : Network<Input<3, 8, 8>, Conv<144>,
              PreactivatedResidual<
                  Sequential<BatchNorm, ReLU>,
                  Sequential<Conv<144, Kernel<3>, Padding<1>>, BatchNorm, ReLU, Conv<144, Kernel<3>, Padding<1>>>,
                  Identity>,
              BatchNorm, ReLU, Conv<144, Kernel<3>, Padding<0, 1, 1, 0>>, ReLU> {};
struct LastStack : Network<Input<3, 7, 7>, Conv<512>, Conv<512, Kernel<3>, Padding<1>>> {};
template <class Net, cpu::ConvAlgorithm Algorithm = cpu::ConvAlgorithm::fast>
constexpr int plain_filter_steps = [] {
    int count = 0;
    for (const cpu::Step& step : cpu::CompiledNetwork<Net, Algorithm>::plan.steps) count += step.winograd.plain_filters;
    return count;
}();
constexpr int allowed = cpu::allows_plain_filters ? 1 : 0;
static_assert(plain_filter_steps<Small> == allowed && plain_filter_steps<OddBlocks> == allowed);
static_assert(plain_filter_steps<SmallBlocks> == 3 * allowed && plain_filter_steps<LastStack> == allowed);
static_assert(plain_filter_steps<Deep> == 0 && plain_filter_steps<Even> == 0);
static_assert(plain_filter_steps<Small, cpu::ConvAlgorithm::exact> == 0);

// Register tiles waste little, and a strip has room for every number of tiles it may get.
static_assert(cpu::WinogradTiles<14>::padded(196) == 196 && cpu::WinogradTiles<14>::padded(16) == 16);
static_assert(cpu::WinogradTiles<14>::padded(4) == 4 && cpu::WinogradTiles<14>::padded(49) <= 52);
constexpr bool strips_have_room = [] {
    for (const int m : {2, 4})
        for (const int planes : {1, 3, 32, 128}) {
            const cpu::WinogradGrid grid = cpu::winograd_grid<cpu::tile_pixels>(m, Shape{16 * planes, 14, 14}, planes);
            for (int count = 1; count <= grid.strip; ++count)
                if (cpu::WinogradTiles<cpu::tile_pixels>::padded(count) > grid.room ||
                    cpu::WinogradTiles<cpu::tile_pixels>::padded(count) < count)
                    return false;
        }
    return true;
}();
static_assert(strips_have_room);

TEST_CASE("maps that tiles cut evenly and unevenly") {
    compare_with_reference<Even>();
    compare_with_reference<Uneven>();
    compare_with_reference<Unpadded>();
    compare_with_reference<Asymmetric>();
    compare_with_reference<Deep>();
    compare_with_reference<Seven>();
}

TEST_CASE("residuals and second results") {
    compare_with_reference<Basic>();
    compare_with_reference<Preactivated>();
}

TEST_CASE("strips over several images and all ways to share them") {
    for (const int threads : {1, 3, 4}) compare_with_reference<Seven>(9, 4, threads);
}

TEST_CASE("filters that are transformed where they are multiplied") {
    compare_with_reference<Small>();
    compare_with_reference<OddBlocks>();
    compare_with_reference<SmallBlocks>();
    compare_with_reference<LastStack>(1);
    for (const int threads : {1, 3, 4}) compare_with_reference<OddBlocks>(9, 4, threads);
}

TEST_CASE_TEMPLATE("neither threads nor the batch change a bit where filters are plain", Net, Small, OddBlocks,
                   SmallBlocks) {
    constexpr int batch = 11;
    const std::vector<float> images = tenon_test::seeded_images<Net>(batch);
    constexpr auto in = static_cast<std::size_t>(input_shape<Net>.elements());
    constexpr auto out = static_cast<std::size_t>(output_shape<Net>.elements());
    Model<Net> alone{{.threads = 1, .images_in_flight = 1}};
    alone.initialize(3);
    std::vector<float> expected;
    for (std::size_t i = 0; i < batch; ++i) {
        const auto result = alone(std::span(images).subspan(i * in, in));
        expected.insert(expected.end(), result.begin(), result.end());
    }
    REQUIRE(expected.size() == batch * out);
    for (const int threads : {1, 2, 3, 7})
        for (const int in_flight : {2, batch}) {
            Model<Net> model{{.threads = threads, .images_in_flight = in_flight}};
            model.initialize(3);
            CHECK(tenon_test::same_bytes(model(images), expected));
        }
}

TEST_CASE("the exact backend is held to the bound of plain sums") {
    compare_with_reference<Even, ExactCpu>(3, 2);
    compare_with_reference<Basic, ExactCpu>(3, 2);
}

}  // namespace
