// The kernel of convolutions alone, in all precisions and with every tile.
#include <tenon/backend/cuda/kernels/conv_choice.hpp>

#include "compare_products.hpp"

namespace {

using namespace tenon;

void compare_kernel(const tenon_test::ConvEntry& kernel) {
    for (const auto& problem : tenon_test::products::edge_problems(kernel.spec))
        tenon_test::products::compare_conv(kernel, problem);
}

template <Precision P, int Tile, int Vector, int OutputVector>
void compare_kernel() {
    compare_kernel(tenon_test::conv_entry<P, Tile, Vector, OutputVector>());
}

#if defined(__CUDACC__)
TEST_CASE("the convolution kernel in 32 bits") {
    compare_kernel<Precision::float32, 0, 4, 4>();
    compare_kernel<Precision::float32, 1, 4, 4>();
    compare_kernel<Precision::float32, 2, 4, 4>();
    compare_kernel<Precision::float32, 2, 2, 2>();
    compare_kernel<Precision::float32, 2, 1, 1>();
}
TEST_CASE("the convolution kernel in tensor floats") {
    compare_kernel<Precision::tensor_float32, 0, 4, 4>();
    compare_kernel<Precision::tensor_float32, 1, 4, 2>();
    compare_kernel<Precision::tensor_float32, 2, 2, 1>();
}
TEST_CASE("the convolution kernel in the upper halves of floats") {
    compare_kernel<Precision::bfloat16, 0, 8, 8>();
    compare_kernel<Precision::bfloat16, 1, 8, 8>();
    compare_kernel<Precision::bfloat16, 1, 4, 4>();
    compare_kernel<Precision::bfloat16, 2, 8, 4>();
    compare_kernel<Precision::bfloat16, 2, 2, 2>();
    compare_kernel<Precision::bfloat16, 2, 1, 1>();
}
TEST_CASE("the convolution kernel in half precision") {
    compare_kernel<Precision::float16, 0, 4, 4>();
    compare_kernel<Precision::float16, 2, 8, 8>();
}
#else
TEST_CASE("the convolution kernel in all precisions") {
    compare_kernel<Precision::float32, 2, 2, 2>();
    compare_kernel<Precision::bfloat16, 1, 8, 4>();
}
#endif

}  // namespace
