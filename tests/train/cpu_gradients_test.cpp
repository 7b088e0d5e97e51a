// The CPU's training engine against the naive one in double, on layers and shapes that the traces don't have; bitwise
// equal for any number of threads.
#include <cstring>

#include <doctest/doctest.h>

#include <tenon/engine/training_engine.hpp>
#include <tenon/models/resnet_v1.hpp>
#include <tenon/topology/channel_ops.hpp>
#include <tenon/topology/training_parts.hpp>

#include "../functions.hpp"
#include "compare_gradients.hpp"

namespace {
using namespace tenon;
using tenon_test::TrainingData;

/// A planar input, several panels, an odd number of blocks, groups that share blocks, every stride.
struct Wide
    : Network<Input<3, 18, 17>, Conv<40, Kernel<7>, Stride<2>, Padding<3>, Bias>,
              MaxPool<Kernel<3>, Stride<2>, Padding<1>, PadZero>, Stack<12, 2>, BatchNorm, ReLU,
              Conv<64, Kernel<3>, Stride<2>, Padding<1>, Groups<8>>, BatchNorm, ReLU, GlobalAvgPool, Linear<11>> {};

/// An input in blocks, uneven windows, gates, everything that goes pixel by pixel, a flattened map.
struct Uneven
    : Network<Input<20, 9, 8>, BatchNorm, ReLU, Conv<24, Kernel<3, 2>, Stride<1, 2>, Padding<0, 1, 2, 0>, Bias>,
              GatedResidual<Conv<24, Kernel<3>, Padding<1>>, Identity, Conv<24, Bias>>, PadChannels<36, Stride<2>>,
              Scale<3, 2>, Dropout<Rate<1, 4>>, Residual<Conv<36, Kernel<3>, Padding<1>>, Identity>,
              AvgPool<Kernel<3>, Stride<1>, Padding<1>, PadExcluded>, BatchNormWith<NoAffine>, Flatten, Linear<19>,
              Softmax, Linear<6>, Softmax> {};

/// Parts that are frozen, parts that are computed again, maxima over the whole map.
struct Parts : Network<Input<3, 12, 12>, Frozen<Conv<16, Kernel<3>, Padding<1>>, BatchNorm, ReLU>,
                       Recompute<detail::BasicBlock<24, 2, true>, detail::BasicBlock<24>>,
                       Sequential<Conv<8>, Frozen<BatchNorm, ReLU, Conv<16>>>, AvgPool<Kernel<2>>,
                       Product<Identity, Sigmoid>, GlobalMaxPool, Linear<20>, ReLU, Linear<5, NoBias>> {};

/// Maps and channels for which convolutions and their data gradients go by Winograd.
struct Large
    : Network<Input<3, 22, 19>, Conv<32, Kernel<3>, Padding<1>>, BatchNorm, ReLU, Conv<40, Kernel<3>, Padding<1>, Bias>,
              BatchNorm, ReLU, Conv<48, Kernel<3>, Stride<2>, Padding<1>>, BatchNorm, ReLU,
              Residual<Conv<48, Kernel<3>, Padding<1>>, Identity>, GlobalAvgPool, Linear<3>> {};

/// The papers' blocks, a ReLU in front of everything, and a product that nothing fuses.
struct Variants
    : Network<Input<3, 9, 9>, ReLU,
              Block<20, Basic, PadShortcut, Shortcut<ShortcutKind::exclusive_gating>,
                    Placement<ActivationPlacement::original>>,
              Block<24, Basic, Stride<2>, PadShortcut, Shortcut<ShortcutKind::shortcut_only_gating>,
                    Placement<ActivationPlacement::relu_before_addition>>,
              Block<24, Basic, Shortcut<ShortcutKind::constant_scaling>,
                    Placement<ActivationPlacement::norm_after_addition>>,
              Block<24, Basic, PreactivateShortcut, Placement<ActivationPlacement::relu_only_preactivation>>,
              Block<24, Basic, Shortcut<ShortcutKind::dropout>, Placement<ActivationPlacement::original>>,
              Product<Identity, ReLU>, ReLU, GlobalAvgPool, Linear<10>> {};

/// A user's functions, on maps and on features, beside what is fused and in front of a border.
struct Functions : Network<Input<3, 9, 8>, Elementwise<tenon_test::Mish>, Conv<21, Kernel<3>, Padding<1>>,
                           Elementwise<tenon_test::RaisedCosine>, Conv<18, Kernel<3>, Padding<1>>, BatchNorm,
                           Elementwise<tenon_test::Mish>, Product<Identity, Elementwise<tenon_test::RaisedCosine>>,
                           GlobalAvgPool, Linear<20>, Elementwise<tenon_test::Mish>, Linear<5>> {};

/// Maxima that several pixels share.
struct Ties : Network<Input<2, 7, 7>, Conv<20>, MaxPool<Kernel<3>, Stride<2>>, GlobalMaxPool, Linear<3>> {};

constexpr int batch = 5;

template <class Net, class Backend = Cpu>
void check_against_reference() {
    TrainingEngine<Net, Backend> engine{batch + 2, {.threads = 2}};
    tenon_test::compare_step(engine, TrainingData<Net>{batch});
}

template <class Net>
void check_threads() {
    const TrainingData<Net> data{batch};
    std::vector<float> first;
    double loss = 0;
    for (const int threads : {1, 2, 3, 5}) {
        TrainingEngine<Net> engine{batch, {.threads = threads}};
        engine.parameters().seed(4);
        const LossResult result = engine.forward_backward(data.images, std::span<const int>(data.labels), {.seed = 3});
        std::vector<float> all(engine.gradients().values().begin(), engine.gradients().values().end());
        all.insert(all.end(), engine.parameters().values().begin(), engine.parameters().values().end());
        all.insert(all.end(), engine.logits().begin(), engine.logits().end());
        if (threads == 1) {
            first = all;
            loss = result.loss;
        }
        CHECK(std::memcmp(all.data(), first.data(), all.size() * sizeof(float)) == 0);
        CHECK(result.loss == loss);
    }
}

TEST_CASE("gradients of wide networks equal the naive engine's") { check_against_reference<Wide>(); }
TEST_CASE("gradients of uneven networks equal the naive engine's") { check_against_reference<Uneven>(); }
TEST_CASE("gradients of frozen and recomputed parts equal the naive engine's") { check_against_reference<Parts>(); }
TEST_CASE("gradients of the papers' blocks equal the naive engine's") {
    check_against_reference<Variants>();
    check_threads<Variants>();
}
TEST_CASE("gradients of a user's functions equal the naive engine's") {
    check_against_reference<Functions>();
    check_threads<Functions>();
}
TEST_CASE("of equal maxima the first one gets the gradient") {
    TrainingEngine<Ties> engine{batch, {.threads = 2}};
    tenon_test::check_first_maxima(engine, TrainingData<Ties>{batch});
}

/// How many steps of a network's training go by Winograd.
template <class Net, class Backend>
constexpr int winograd_steps = [] {
    int count = 0;
    for (const cpu::TrainingStep& step : TrainingEngine<Net, Backend>::Compiled::plan.steps)
        if (step.step.winograd.m > 0) ++count;
    return count;
}();

TEST_CASE("gradients by Winograd equal the naive engine's") {
    static_assert(winograd_steps<Large, Cpu> >= 5);
    static_assert(winograd_steps<Large, ExactCpu> == 0);
    check_against_reference<Large>();
    check_against_reference<Large, ExactCpu>();
}
TEST_CASE("a training step is bitwise equal for any number of threads") {
    check_threads<Wide>();
    check_threads<Uneven>();
    check_threads<Parts>();
    check_threads<Large>();
}

TEST_CASE("one batch can be learned by heart") {
    const TrainingData<Parts> data{batch};
    TrainingEngine<Parts> engine{batch, {.threads = 2}};
    engine.parameters().seed(4);
    std::vector<float> velocity(engine.parameters().values().size());
    LossResult result;
    for (int step = 0; step < 200; ++step) {
        result = engine.forward_backward(data.images, std::span<const int>(data.labels));
        for (int i = 0; i < engine.parameters().count(); ++i) {
            if (!engine.is_trained(i)) continue;
            const auto parameter = engine.parameters()[i], gradient = engine.gradients()[i];
            float* v = velocity.data() + lowered<Parts>.parameters[i].offset;
            for (std::size_t k = 0; k < parameter.size(); ++k) {
                v[k] = 0.9f * v[k] + gradient[k];
                parameter[k] -= 0.03f * v[k];
            }
        }
    }
    CHECK(result.loss < 1e-2);
    CHECK(result.correct == batch);
}

/// Bytes of address space this process has mapped.
long mapped() {
    long pages = 0;
    if (FILE* file = std::fopen("/proc/self/statm", "r")) {
        if (std::fscanf(file, "%ld", &pages) != 1) pages = 0;
        std::fclose(file);
    }
    return pages * 4096;
}

TEST_CASE("training_bytes is what an engine allocates, and a constant") {
    static_assert(training_bytes<Wide>(64) < training_bytes<Wide>(256));
    { TrainingEngine<Wide> warm_up{1, {.threads = 1}}; }
    for (const int images : {64, 300}) {
        const long before = mapped();
        TrainingEngine<Wide> engine{images, {.threads = 1}};
        const long grown = mapped() - before;
        CHECK(grown >= static_cast<long>(training_bytes<Wide>(images)));
        CHECK(grown <= static_cast<long>(training_bytes<Wide>(images)) + (256 << 10));
    }
}

TEST_CASE("bad batches and labels are refused") {
    const TrainingData<Parts> data{batch};
    TrainingEngine<Parts> engine{batch, {.threads = 1}};
    engine.parameters().seed(4);
    std::vector<int> labels = data.labels;
    labels[3] = 5;
    CHECK_THROWS_WITH_AS(engine.forward_backward(data.images, std::span<const int>(labels)),
                         doctest::Contains("label 5 of image 3 is not one of the network's classes 0 to 4"), Error);
    CHECK_THROWS_AS(engine.forward_backward(std::span(data.images).first(7), std::span<const int>(labels)), Error);
    CHECK_THROWS_AS((TrainingEngine<Parts>{0}), Error);
    CHECK_THROWS_AS((TrainingEngine<Parts>{1, {.threads = -1}}), Error);
}

}  // namespace
