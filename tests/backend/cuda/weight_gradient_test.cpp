// The kernel of weight gradients in all precisions, with every tile and number of splits, against sums in double.
#include "compare_products.hpp"

namespace {

using namespace tenon;

// Several splits never make more blocks than run at once, which the memory for their sums relies on.
static_assert([] {
    for (const Precision precision : {Precision::float32, Precision::bfloat16})
        for (const long pixels : {1L, 49L, 12544L, 802816L})
            for (const int outputs : {3, 64, 512, 2048})
                for (const int columns : {3, 64, 147, 4608}) {
                    const auto choice = cuda::choose_weight_gradient(precision, pixels, outputs, columns, 1, 132);
                    const auto spec = cuda::weight_gradient_spec(precision, choice.tile, 1, 1);
                    const long blocks =
                        cuda::blocks_of(outputs, spec.tile_outputs) * cuda::blocks_of(columns, spec.tile_columns);
                    if (choice.splits < 1 || (choice.splits > 1 && blocks * choice.splits > 2 * 132)) return false;
                    if (1L * outputs * columns * choice.splits >
                        cuda::weight_gradient_floats(precision, 1L * outputs * columns, 132))
                        return false;
                }
    return true;
}());

// The block that comes last adds what is at most 128 KB.
static_assert(cuda::adds_gradient_splits(Precision::bfloat16, {0, 2}));
static_assert(!cuda::adds_gradient_splits(Precision::bfloat16, {0, 3}));
static_assert(cuda::adds_gradient_splits(Precision::float32, {1, 8}));
static_assert(!cuda::adds_gradient_splits(Precision::float32, {1, 9}));
static_assert(!cuda::adds_gradient_splits(Precision::float32, {0, 1}));
// Columns as parameters: 3 x 3 taps of 5 channels; 7 x 7 of 3 channels in rows of 32 columns.
static_assert([] {
    constexpr cuda::WeightLayout taps{.row = 5, .channels = 5, .inputs = 5, .taps = 9};
    constexpr cuda::WeightLayout rows{.row = 32, .row_taps = 7, .channels = 4, .inputs = 3, .taps = 49};
    return taps.place(0) == 0 && taps.place(1) == 9 && taps.place(5) == 1 && taps.place(44) == 44 &&
           rows.place(2) == 98 && rows.place(3) == -1 && rows.place(4) == 1 && rows.place(28) == -1 &&
           rows.place(6 * 32 + 6 * 4 + 2) == 146 && rows.place(6 * 32 + 31) == -1;
}());

template <Precision P, int Tile, int Vector, int OutputVector>
void compare_weight_gradient(tenon_test::products::GradientSizes sizes) {
    // There are fewer than 40 tiles of the depth.
    tenon_test::products::compare_weight_gradient(tenon_test::weight_gradient_entry<P, Tile, Vector, OutputVector>(),
                                                  sizes, {1, 2, 5, 40});
}

TEST_CASE("weight gradients in 32 bits") {
    compare_weight_gradient<Precision::float32, 0, 4, 4>({8, 132});
    compare_weight_gradient<Precision::float32, 1, 1, 2>({7, 10});
}
TEST_CASE("weight gradients in tensor floats") {
    compare_weight_gradient<Precision::tensor_float32, 0, 4, 4>({16, 68});
    compare_weight_gradient<Precision::tensor_float32, 1, 2, 1>({6, 9});
}
TEST_CASE("weight gradients in 16 bits") {
    compare_weight_gradient<Precision::bfloat16, 0, 8, 8>({16, 136});
    compare_weight_gradient<Precision::bfloat16, 1, 1, 2>({5, 70});
    compare_weight_gradient<Precision::float16, 1, 8, 1>({16, 3});
}

}  // namespace
