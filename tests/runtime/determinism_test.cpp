// Results are bitwise equal for any number of threads and any batch an image is part of.
#include <atomic>
#include <cfenv>
#include <chrono>
#include <cstring>
#include <thread>

#include <doctest/doctest.h>

#include <tenon/models/fashion_mnist.hpp>
#include <tenon/runtime/model.hpp>

#include "../backend/compare.hpp"
#include "../float_environment.hpp"
#include "../support.hpp"
#include "byte_images.hpp"

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

TEST_CASE_TEMPLATE("images of bytes give the bits of the floats that they stand for", Net, FashionMnistResNet, Large,
                   Pooled) {
    const tenon_test::ByteImages<Net> images{7};
    for (const int threads : {1, 3, 4}) {  // together, and each thread with images of its own
        Model<Net> model{{.threads = threads, .images_in_flight = 2}};
        model.initialize(3);
        const auto found = images.run(model);
        CHECK(same_bits(found, model(images.floats)));
    }
    Model<Net> model;
    model.initialize(3);
    std::vector<float> results(7 * 10);
    CHECK(tenon_test::contains(tenon_test::error_of([&] {
                                   model.run_bytes(images.bytes, images.scale, std::span(images.shift).first(0),
                                                   results);
                               }),
                               "as many scales and shifts are expected, not"));
    CHECK(tenon_test::contains(tenon_test::error_of([&] {
                                   model.run_bytes(images.bytes, images.scale, images.shift,
                                                   std::span(results).first(9));
                               }),
                               "the results of 7 images take 70 scalars"));
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

TEST_CASE("all threads round and flush as the caller does, in each call as it is then") {
    using Net = FashionMnistResNet;
    std::vector<float> images = tenon_test::seeded_images<Net>(16);
    for (std::size_t i = 0; i < images.size(); i += 3) images[i] = 1e-42f;  // denormal: 0 under denormals-are-zero
    Model<Net> one{{.threads = 1}}, many{{.threads = 4}};
    one.initialize(3);
    many.initialize(3);
    std::vector<std::vector<float>> all;
    for (const auto& [rounding, flush] :
         {std::pair{FE_TONEAREST, false}, {FE_UPWARD, false}, {FE_TOWARDZERO, true}, {FE_TONEAREST, false}}) {
        const tenon_test::Environment environment{rounding, flush};
        const auto expected = one(images);
        all.emplace_back(expected.begin(), expected.end());
        for (int run = 0; run < 3; ++run) {
            CHECK(same_bits(many(images), expected));                              // each its images
            const auto alone = many(std::span(images).first(images.size() / 16));  // all threads on one
            CHECK(same_bits(alone, expected.first(alone.size())));
        }
        CHECK(std::fegetround() == rounding);
    }
    CHECK(same_bits(all[0], all[3]));
    CHECK_FALSE(same_bits(all[0], all[1]));
    CHECK_FALSE(same_bits(all[0], all[2]));
}

TEST_CASE("a model that a second thread calls says so, and both go on") {
    using Net = FashionMnistResNet;
    const std::vector<float> images = tenon_test::seeded_images<Net>(8);
    Model<Net> model{{.threads = 1}};
    model.initialize(3);
    const std::vector<float> expected(model(images).begin(), model(images).end());
    std::atomic<bool> refused = false;
    std::atomic<int> wrong = 0;
    const auto call = [&] {
        std::vector<float> results(expected.size());
        const auto start = std::chrono::steady_clock::now();
        while (!refused && std::chrono::steady_clock::now() - start < std::chrono::seconds(30)) {
            try {
                model(images, results);
                if (!same_bits(results, expected)) ++wrong;
            } catch (const Error& error) {
                if (std::string(error.what()).find("is being called by another thread") == std::string::npos) ++wrong;
                refused = true;
            }
        }
    };
    std::thread other(call);
    call();
    other.join();
    CHECK(refused);
    CHECK(wrong == 0);
    CHECK(same_bits(model(images), expected));
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
