// What the CPU backend computes on ARM, with NEON: vectors, a network against the reference in double, equal bits for
// any number of threads, and a training step. Compiled for aarch64 and run by qemu on other machines: it shows results,
// not speed.
#include <cstring>
#include <span>
#include <vector>

#include <tenon/engine/training_engine.hpp>
#include <tenon/models/fashion_mnist.hpp>

#include "../../../train/compare_gradients.hpp"
#include "../../compare.hpp"
#include "../simd_test.cpp"

#if !defined(__aarch64__)
#error "this program is for aarch64"
#endif

namespace {

/// A planar input, a pool, pointwise convolutions and 3 x 3 ones by Winograd, a stride, groups, channels that fill no
/// block.
struct Small
    : Network<Input<3, 30, 26>, Conv<20, Kernel<5>, Stride<2>, Padding<2>, Bias>, BatchNorm, ReLU,
              MaxPool<Kernel<3>, Stride<2>, Padding<1>>, Residual<Conv<20, Kernel<3>, Padding<1>>, Identity>, BatchNorm,
              ReLU, Conv<32>, Conv<32, Kernel<3>, Padding<1>, Groups<4>>, BatchNorm, ReLU, GlobalAvgPool, Linear<10>> {
};

bool same_bytes(std::span<const float> a, std::span<const float> b) {
    return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size_bytes()) == 0;
}

TEST_CASE("the instruction set is NEON") { CHECK(std::string_view(tenon::detail::isa_name) == "neon"); }

TEST_CASE("networks are close to the reference in double, and have the same bits for any number of threads") {
    tenon_test::compare_with_reference<Small>();
    tenon_test::compare_with_reference<FashionMnistResNet>(2);
    const std::vector<float> images = tenon_test::seeded_images<FashionMnistResNet>(3);
    Model<FashionMnistResNet> one{{.threads = 1}}, three{{.threads = 3}};
    one.initialize(3);
    three.initialize(3);
    CHECK(same_bytes(one(images), three(images)));
}

TEST_CASE("a training step is close to the naive engine's, and has the same bits for any number of threads") {
    constexpr int batch = 4;
    const tenon_test::TrainingData<Small> data{batch};
    TrainingEngine<Small> one{batch, {.threads = 1}}, three{batch, {.threads = 3}};
    tenon_test::compare_step(one, data);
    tenon_test::compare_step(three, data);
    CHECK(same_bytes(one.gradients().values(), three.gradients().values()));
    CHECK(same_bytes(one.parameters().values(), three.parameters().values()));
}

}  // namespace
