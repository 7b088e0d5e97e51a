// Training in bfloat16 on the CPU: against the naive engine in double with rounded operands, the bits of sums over
// images and pixels, bitwise equal for any number of threads.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#include <doctest/doctest.h>

#include <tenon/engine/loss.hpp>
#include <tenon/engine/training_engine.hpp>
#include <tenon/topology/block.hpp>
#include <tenon/topology/channel_ops.hpp>
#include <tenon/topology/training_parts.hpp>

#include "compare_gradients.hpp"

namespace {
using namespace tenon;
using tenon_test::TrainingData;
using Bfloat16 = CpuWith<Precision::bfloat16>;

float rounded(float value) { return cpu::from_bfloat16(cpu::to_bfloat16(value)); }
double rounded_double(double value) { return double{rounded(static_cast<float>(value))}; }

/// An input in blocks, an odd number of blocks of channels, a norm that stores words with a border, a bias.
struct Blocks
    : Network<Input<20, 9, 8>, BatchNorm, ReLU, Conv<40, Kernel<3, 2>, Stride<1, 2>, Padding<1, 1, 0, 0>, Bias>,
              BatchNorm, ReLU, Conv<24, Kernel<1>>, BatchNorm, ReLU, GlobalAvgPool, Linear<7>> {};

/// Planes of an image, a trunk with projections and strides, several panels, values that two products read.
struct Preactivated : Network<Input<3, 13, 15>, Conv<16, Kernel<3>, Padding<1>>, Stack<12, 2>, BatchNorm, ReLU,
                              GlobalAvgPool, Linear<10>> {};

/// Sums with ReLUs, strided windows and pixels, groups, dropout, products without norms between them.
struct Postactivated : Network<Input<3, 18, 20>, Conv<32, Kernel<7>, Stride<2>, Padding<3>>, BatchNorm, ReLU,
                               Residual<Sequential<Conv<48, Kernel<3>, Stride<2>, Padding<1>>, BatchNorm>,
                                        Sequential<Conv<48, Kernel<1>, Stride<2>>, BatchNorm>, ReLU>,
                               Conv<48, Kernel<3>, Padding<1>, Groups<3>>, Conv<33>, Dropout<Rate<1, 4>>, Flatten,
                               Linear<19>, ReLU, Linear<10>> {};

/// Parts that are frozen, and parts that are computed again.
struct Parts : Network<Input<3, 12, 12>, Frozen<Conv<16, Kernel<3>, Padding<1>>, BatchNorm, ReLU, Conv<24>>,
                       Recompute<BatchNorm, ReLU, Conv<24, Kernel<3>, Padding<1>>, BatchNorm, ReLU>, Conv<8>,
                       Frozen<BatchNorm, ReLU, Conv<16>>, GlobalMaxPool, Linear<20>, ReLU, Linear<5, NoBias>> {};

/// Maps and channels for which Winograd in floats is faster, beside products of bfloat16 that read the same values.
struct Winograd
    : Network<Input<3, 16, 16>, Conv<48, Kernel<3>, Padding<1>>, BatchNorm, ReLU, Conv<48, Kernel<3>, Padding<1>>,
              BatchNorm, ReLU, Residual<Conv<48, Kernel<3>, Padding<1>>, Conv<48>>, GlobalAvgPool, Linear<3>> {};

template <class Net>
constexpr const auto& steps = TrainingEngine<Net, Bfloat16>::Compiled::plan.steps;

/// Whether the products of a layer are of bfloat16.
template <class Net>
constexpr bool is_rounded(int layer, detail::TrainingKind kind) {
    for (const cpu::Bfloat16TrainingStep& step : steps<Net>)
        if (step.is_packed && step.layer == layer && step.kind == kind) return true;
    return false;
}

template <class Net>
void check_against_reference(int batch, double bound) {
    TrainingEngine<Net, Bfloat16> engine{batch + 1, {.threads = 2}};
    tenon_test::compare_step(engine, TrainingData<Net>{batch}, bound, false, {rounded_double, is_rounded<Net>});
}

/// How many steps for which predicate(step) holds the plan of a network has.
template <class Net>
constexpr int count_steps(bool (*predicate)(const cpu::Bfloat16TrainingStep&)) {
    int count = 0;
    for (const cpu::Bfloat16TrainingStep& step : steps<Net>)
        if (predicate(step)) ++count;
    return count;
}
constexpr bool is_packed(const cpu::Bfloat16TrainingStep& step) { return step.is_packed; }
constexpr bool is_winograd(const cpu::Bfloat16TrainingStep& step) { return step.step.winograd.m > 0; }
constexpr bool stores_words(const cpu::Bfloat16TrainingStep& step) { return step.stores != cpu::WordsOf::none; }

TEST_CASE("which steps of a training iteration are in bfloat16") {
    CHECK(count_steps<Blocks>(is_packed) == 9);  // forward, both gradients of 3 layers
    CHECK(count_steps<Blocks>(stores_words) == 5);
    CHECK(count_steps<Blocks>(is_winograd) == 0);
    CHECK(count_steps<Winograd>(is_winograd) >= 5);
    CHECK(count_steps<Winograd>(is_packed) >= 3);
}

// A sum that ends on the other side of the middle between two numbers of bfloat16 than the reference's moves a product
// by 2^-8 of itself: in deep networks more than 1e-5 is to be expected.
TEST_CASE("gradients in bfloat16 equal the naive engine's of rounded operands") {
    for (const int batch : {4, 5}) check_against_reference<Blocks>(batch, 3e-5);
    check_against_reference<Preactivated>(5, 5e-2);
    check_against_reference<Postactivated>(5, 1e-2);
    check_against_reference<Parts>(3, 1e-2);
    check_against_reference<Winograd>(4, 1e-2);
}

template <class Net>
void check_threads(int batch) {
    const TrainingData<Net> data{batch};
    std::vector<float> first;
    for (const int threads : {1, 2, 3, 5}) {
        TrainingEngine<Net, Bfloat16> engine{batch, {.threads = threads}};
        engine.parameters().seed(4);
        engine.forward_backward(data.images, std::span<const int>(data.labels), {.seed = 3});
        std::vector<float> all(engine.gradients().values().begin(), engine.gradients().values().end());
        all.insert(all.end(), engine.parameters().values().begin(), engine.parameters().values().end());
        all.insert(all.end(), engine.logits().begin(), engine.logits().end());
        if (threads == 1) first = all;
        CHECK(std::memcmp(all.data(), first.data(), all.size() * sizeof(float)) == 0);
    }
}

TEST_CASE("a training step in bfloat16 is bitwise equal for any number of threads") {
    check_threads<Preactivated>(9);
    check_threads<Postactivated>(6);
}

TEST_CASE("of a batch with an odd number of images no trace of earlier ones is read") {
    TrainingData<Blocks> data{4};
    const std::span<const int> labels(data.labels);
    const std::size_t three = data.images.size() / 4 * 3;
    TrainingEngine<Blocks, Bfloat16> fresh{3, {.threads = 1}}, used{4, {.threads = 1}};
    fresh.parameters().seed(4);
    used.parameters().seed(4);
    std::fill(data.images.begin() + static_cast<long>(three), data.images.end(), std::nanf(""));
    used.forward_backward(data.images, labels);
    used.parameters().seed(4);
    for (auto* engine : {&fresh, &used}) engine->forward_backward(std::span(data.images).first(three), labels.first(3));
    CHECK(std::memcmp(fresh.gradients().values().data(), used.gradients().values().data(),
                      fresh.gradients().values().size() * sizeof(float)) == 0);
}

/// Products whose gradients are known to the bit: those of the loss, divided by 4 for each of 4 pixels.
struct Map : Network<Input<20, 3, 4>, Conv<40, Kernel<3>, Stride<2>, Padding<1>>, GlobalAvgPool> {};
struct Features : Network<Input<21>, Linear<19>> {};

/// The gradient of a weight by the definition: images 2k and 2k + 1 of a shard are a pair; a sum goes through the pairs
/// and their pixels, adds the second image's product and then the first one's, and rounds after each. The sums of
/// shards are added in order.
template <class Pixels>
float sum_of_pairs(int batch, int max_shards, const Pixels& pixels) {
    const int pairs = (batch + 1) / 2, shards = std::min(max_shards, pairs);
    float result = 0;
    for (int shard = 0; shard < shards; ++shard) {
        const cpu::Range mine = cpu::share(pairs, shard, shards);
        float sum = 0;
        for (int pair = mine.begin; pair < mine.end; ++pair)
            pixels([&](const auto& x, const auto& g) {
                for (const int image : {2 * pair + 1, 2 * pair})
                    if (image < batch) sum = std::fma(rounded(x(image)), rounded(g(image)), sum);
            });
        result = shard == 0 ? sum : result + sum;
    }
    return result;
}

/// Runs a step; gradient(image, class) is that of the loss.
template <class Net, class Check>
void run_product(int batch, const Check& check) {
    constexpr int classes = detail::classes_of<Net>;
    const TrainingData<Net> data{batch};
    TrainingEngine<Net, Bfloat16> engine{batch, {.threads = 2}};
    engine.parameters().seed(4);
    engine.forward_backward(data.images, std::span<const int>(data.labels));
    std::vector<float> gradients(static_cast<std::size_t>(batch * classes));
    const std::vector<float> logits(engine.logits().begin(), engine.logits().end());
    for (int n = 0; n < batch; ++n)
        detail::softmax_cross_entropy<float>(logits.data() + n * classes, classes,
                                             Targets<float>{std::span<const int>(data.labels)}, n, batch, 0,
                                             gradients.data() + n * classes);
    check(data, engine.gradients()[0],
          [&](int image, int o) { return gradients[static_cast<std::size_t>(image * classes + o)]; });
}

TEST_CASE("weight gradients in bfloat16 have the bits of their definition") {
    for (const int batch : {1, 2, 5, 37})
        run_product<Features>(batch, [&](const auto& data, std::span<const float> found, const auto& gradient) {
            for (int o = 0; o < 19; ++o)
                for (int i = 0; i < 21; ++i) {
                    const float expected = sum_of_pairs(batch, 8, [&](const auto& add) {
                        add([&](int n) { return data.images[static_cast<std::size_t>(n * 21 + i)]; },
                            [&](int n) { return gradient(n, o); });
                    });
                    CHECK(found[static_cast<std::size_t>(o * 21 + i)] == expected);
                }
        });
    for (const int batch : {3, 8})
        run_product<Map>(batch, [&](const auto& data, std::span<const float> found, const auto& gradient) {
            const auto pixel = [&](int n, int i, int y, int x) {
                if (y < 0 || y >= 3 || x < 0 || x >= 4) return 0.0f;
                return data.images[static_cast<std::size_t>(((n * 20 + i) * 3 + y) * 4 + x)];
            };
            for (int o = 0; o < 40; ++o)
                for (int i = 0; i < 20; ++i)
                    for (int tap = 0; tap < 9; ++tap) {
                        const float expected = sum_of_pairs(batch, 8, [&](const auto& add) {
                            for (int y = 0; y < 2; ++y)
                                for (int x = 0; x < 2; ++x)
                                    add([&](int n) { return pixel(n, i, 2 * y + tap / 3 - 1, 2 * x + tap % 3 - 1); },
                                        [&](int n) { return 0.25f * gradient(n, o); });
                        });
                        CHECK(found[static_cast<std::size_t>((o * 20 + i) * 9 + tap)] == expected);
                    }
        });
}

}  // namespace
