// Results are bitwise equal for any number of threads and any batch an image is part of.
#include <cstring>

#include <doctest/doctest.h>

#include <tenon/models/fashion_mnist.hpp>
#include <tenon/runtime/model.hpp>

#include "../backend/compare.hpp"

namespace {

using namespace tenon;

/// Large maps: convolutions run in chains, most steps image by image.
struct Large : Network<Input<3, 57, 40>, Conv<64>, Stack<64, 3>, BatchNorm, ReLU, GlobalAvgPool, Linear<10>> {};
/// A stem and its pooling, which run strip by strip.
struct Pooled : Network<Input<3, 127, 101>, Conv<64, Kernel<7>, Stride<2>, Padding<3>>,
                        MaxPool<Kernel<3>, Stride<2>, Padding<1>>, BatchNorm, ReLU, GlobalAvgPool, Linear<10>> {};
static_assert(cpu::CompiledNetwork<FashionMnistResNet>::plan.joint == 0 && cpu::CompiledNetwork<Large>::plan.joint > 0);
static_assert(cpu::CompiledNetwork<Large>::plan.followers.size() > 0 &&
              cpu::CompiledNetwork<Pooled>::plan.followers.size() == 1);

bool same_bits(std::span<const float> a, std::span<const float> b) {
    return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size_bytes()) == 0;
}

TEST_CASE_TEMPLATE("any number of threads gives the same bits", Net, FashionMnistResNet, Large, Pooled) {
    const std::vector<float> images = tenon_test::seeded_images<Net>(5);
    Model<Net> one{{.threads = 1}};
    one.initialize(3);
    const auto expected = one(images);
    for (const int threads : {2, 3, 4, 7}) {
        Model<Net> model{{.threads = threads}};
        model.initialize(3);
        CHECK(model.threads() == threads);
        for (int run = 0; run < 3; ++run) CHECK(same_bits(model(images), expected));
    }
}

TEST_CASE_TEMPLATE("an image's result does not depend on its batch", Net, FashionMnistResNet, Large, Pooled) {
    const std::vector<float> images = tenon_test::seeded_images<Net>(7);
    Model<Net> together{{.threads = 2, .images_in_flight = 3}};
    together.initialize(3);
    const std::vector<float> expected(together(images).begin(), together(images).end());
    Model<Net> alone{{.threads = 1, .images_in_flight = 1}};
    alone.initialize(3);
    constexpr std::size_t in = static_cast<std::size_t>(input_shape<Net>.elements()), out = 10;
    for (std::size_t i = 0; i < 7; ++i)
        CHECK(same_bits(alone(std::span(images).subspan(i * in, in)), std::span(expected).subspan(i * out, out)));
}

TEST_CASE_TEMPLATE("nor on whether threads go through the network together or each with images of its own", Net,
                   FashionMnistResNet, Large, Pooled) {
    const std::vector<float> images = tenon_test::seeded_images<Net>(19);
    cpu::Engine<Net> one{1, 4};
    Parameters<Net> parameters;
    parameters.seed(3);
    one.set_parameters(parameters.tensors());
    std::vector<float> expected(19 * 10);
    one.run(images.data(), expected.data(), 19, [](int) {});
    for (const int threads : {2, 3, 5, 9}) {
        cpu::Engine<Net> engine{threads, 2};
        engine.set_parameters(parameters.tensors());
        for (const long count : {2L * threads - 1, 2L * threads, 19L}) {
            if (count > 19) continue;
            std::vector<float> results(static_cast<std::size_t>(count) * 10);
            engine.run(images.data(), results.data(), count);
            CHECK(same_bits(results, std::span(expected).first(results.size())));
        }
    }
}

TEST_CASE("models in two threads don't disturb each other") {
    using Net = FashionMnistResNet;
    const std::vector<float> images = tenon_test::seeded_images<Net>(2);
    Model<Net> first{{.threads = 2}}, second{{.threads = 2}};
    first.initialize(3);
    second.initialize(3);
    const std::vector<float> expected(first(images).begin(), first(images).end());
    bool same = true;
    std::thread other([&] {
        for (int i = 0; i < 50; ++i) same = same && same_bits(second(images), expected);
    });
    for (int i = 0; i < 50; ++i) CHECK(same_bits(first(images), expected));
    other.join();
    CHECK(same);
}

}  // namespace
