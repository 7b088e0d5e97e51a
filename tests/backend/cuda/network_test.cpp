// Whole networks through CUDA's plan and kernels in the emulator, against the reference.
#include <tenon/models/cifar.hpp>
#include <tenon/models/fashion_mnist.hpp>
#include <tenon/models/resnet_v2.hpp>
#if defined(__CUDACC__)
#include <tenon/cuda.hpp>
#else
#include <tenon/engine/emulated_cuda.hpp>
#endif

#include "emulate.hpp"

namespace {

using namespace tenon;
using tenon_test::compare_emulated;

#if defined(__CUDACC__)
using TestedCuda = Cuda;
#else
using TestedCuda = EmulatedCuda<>;
#endif

TEST_CASE("the network of the examples, in all precisions") {
    tenon_test::compare_precisions<FashionMnistResNet>({.batch = 3, .multiprocessors = 20}, 8);
}

TEST_CASE("a network of the papers, with channels of zeros on its shortcuts") {
    compare_emulated<CifarResNet20<10, Input<3, 16, 16>>>({.batch = 2}, 8);
}

TEST_CASE("the listing's network on small images, as on a large device") {
    compare_emulated<ResNet50V2<Input<3, 32, 32>>>({.batch = 1, .multiprocessors = 132}, 16);
}

TEST_CASE("a model runs on the backend as on others") {
    tenon_test::compare_with_reference<FashionMnistResNet, TestedCuda>(5);
    Model<FashionMnistResNet, TestedCuda> model;
    model.initialize(1);
    const std::vector<float> images = tenon_test::seeded_images<FashionMnistResNet>(1);
    const auto expected = model(images)[0];
    CHECK(model.profile(images).size() == cuda::CompiledNetwork<FashionMnistResNet, Precision::float32>::steps);
    CHECK(model(images)[0] == expected);
}

TEST_CASE("the plan of the listing's network") {
    using Compiled = cuda::CompiledNetwork<ResNet50V2<>, Precision::bfloat16>;
    static_assert(Compiled::steps == 54);  // 52 operations, a load and a store
    // The image has a border, so that a row of the first window is 64 bytes that are aligned to 16.
    constexpr cuda::Tensor image = Compiled::plan.steps[0].target;
    static_assert(image.pitch == 4 && image.height == 229 && image.width == 230);
    constexpr cuda::Term stem = Compiled::plan.steps[1].terms[0];
    static_assert(stem.source.pitch == 8 && stem.source.width == 115 && stem.group_channels == 32 && stem.depth == 224);
    static_assert(Compiled::plan.steps[1].vector == 8 && Compiled::plan.steps[3].vector == 8);
    // In 32 bits a pixel has 16 bytes, so there is none.
    using Wide = cuda::CompiledNetwork<ResNet50V2<>, Precision::float32>;
    static_assert(Wide::plan.steps[0].target.width == 224 && Wide::plan.steps[1].terms[0].depth == 49 * 4);
    // A bf16 image takes half of what the CPU's floats take without borders.
    // Two maps of 256 channels and two of 64, as a shortcut and a body of the first stack are alive with what they
    // read.
    static_assert(Compiled::plan.image_scalars == 56 * 56 * (2 * 256 + 2 * 64));
    CHECK(Compiled::plan.weight_bytes > 2 * parameter_count<ResNet50V2<>>);
}

}  // namespace
