// Training on CUDA, in the emulator or on a device: gradients against the naive engine in double, repeatability.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <utility>

#include <tenon/engine/cuda_training.hpp>
#include <tenon/engine/cuda_training_runner.hpp>
#include <tenon/topology/channel_ops.hpp>
#include <tenon/topology/training_parts.hpp>

#include "../../support.hpp"
#include "../../train/compare_gradients.hpp"
#include "emulate.hpp"

namespace {

using namespace tenon;
using tenon_test::same_bytes;
using tenon_test::TrainingData;

#if defined(__CUDACC__)
using TrainingDriver = tenon_test::ListingDriver<cuda::DeviceDriver>;
#else
using TrainingDriver = cuda::EmulatedDriver;
#endif
template <class Net, Precision P = Precision::float32>
using Engine = cuda::TrainingEngine<Net, cuda::TrainingRunner<Net, P, TrainingDriver>>;

/// A padded input, uneven windows, groups, both kinds of strided shortcut, a pool that padding takes part in.
struct Strided
    : Network<Input<3, 11, 10>, Conv<12, Kernel<5>, Stride<2>, Padding<2>, Bias>,
              MaxPool<Kernel<3>, Stride<1>, Padding<1>, PadZero>, Stack<4, 2>, BatchNorm, ReLU,
              Conv<12, Kernel<3, 2>, Stride<1, 2>, Padding<0, 1, 2, 0>, Groups<4>>, BatchNorm, ReLU,
              Residual<Conv<20, Kernel<3>, Stride<2>, Padding<1>, Bias>, Conv<20, Kernel<1>, Stride<2>, Bias>>,
              GlobalAvgPool, Linear<11>> {};

/// Gates, everything that goes element by element, averages, a flattened map, softmax in the middle.
struct Uneven
    : Network<Input<5, 5, 6>, BatchNorm, ReLU, GatedResidual<Conv<5, Kernel<3>, Padding<1>>, Identity, Conv<5, Bias>>,
              PadChannels<9, Stride<2>>, Scale<3, 2>, Dropout<Rate<1, 4>>,
              Residual<Conv<9, Kernel<3>, Padding<1>>, Identity>,
              AvgPool<Kernel<3>, Stride<1>, Padding<1>, PadExcluded>, BatchNormWith<NoAffine>, Flatten, Linear<10>,
              Softmax, Linear<6>, Softmax> {};

/// Parts that are frozen, parts that are computed again, maxima over the whole map.
struct Parts : Network<Input<3, 6, 6>, Frozen<Conv<8, Kernel<3>, Padding<1>>, BatchNorm, ReLU>,
                       Recompute<Conv<8, Kernel<3>, Padding<1>>, BatchNorm, ReLU>,
                       Sequential<Conv<4>, Frozen<BatchNorm, ReLU, Conv<8>>>, AvgPool<Kernel<2>>,
                       Product<Identity, Sigmoid>, GlobalMaxPool, Linear<10>, ReLU, Linear<5, NoBias>> {};

/// Maxima that several pixels share.
struct Ties : Network<Input<2, 7, 7>, Conv<8>, MaxPool<Kernel<3>, Stride<2>>, GlobalMaxPool, Linear<3>> {};

/// Maps with enough pixels for sums over them to be made by several blocks.
struct Wide : Network<Input<4, 40, 36>, BatchNorm, ReLU, Conv<12, Kernel<3>, Stride<2>, Padding<1>, Bias>, ReLU,
                      GlobalAvgPool, Linear<3>> {};

/// What a precision's tensor cores compute. No ReLU, whose gradient jumps where a value is rounded to the other side.
struct Mixed : Network<Input<3, 16, 14>, Conv<16, Kernel<3>, Padding<1>>, BatchNorm, Sigmoid,
                       Residual<Conv<24, Kernel<3>, Stride<2>, Padding<1>>, Conv<24, Kernel<1>, Stride<2>>>, BatchNorm,
                       Sigmoid, AvgPool<Kernel<4>>, Flatten, Linear<6>> {};

/// An image that has a border in 16 bits: the stem reads it row by row, also when it is computed again. Channels are
/// those of Mixed, whose kernels it shares.
struct Bordered : Network<Input<3, 11, 10>, Recompute<Conv<16, Kernel<5>, Stride<2>, Padding<2>>, BatchNorm, Sigmoid>,
                          AvgPool<Kernel<5>>, Flatten, Linear<6>> {};

/// Windows of more pixels, and more classes and features, than threads or loops take at once.
struct Large
    : Network<Input<8, 9, 8>, Conv<8>, AvgPool<Kernel<5>, Stride<2>, Padding<2>>, GlobalAvgPool, Linear<1096>> {};
struct LargeMaxima
    : Network<Input<9, 9, 8>, Conv<9>, MaxPool<Kernel<5>, Padding<2>>, AvgPool<Kernel<5>, Stride<2>, Padding<2>>,
              GlobalAvgPool, Linear<600>, Softmax, Linear<11>> {};

constexpr int batch = 3;

template <class Net, Precision P = Precision::float32>
void compare_training(double bound = 1e-4, bool soft = false) {
    Engine<Net, P> engine{batch + 1};
    engine.set_loss_scale({1024});  // where nothing overflows
    tenon_test::compare_step(engine, TrainingData<Net>{batch}, bound, soft);
}

TEST_CASE("gradients of strided and grouped convolutions equal the naive engine's") { compare_training<Strided>(); }
TEST_CASE("gradients of gates, dropouts and averages equal the naive engine's") {
    compare_training<Uneven>();
    compare_training<Uneven>(1e-4, true);
}
TEST_CASE("gradients of frozen and recomputed parts equal the naive engine's") { compare_training<Parts>(); }
TEST_CASE("sums over many pixels are made by several blocks") {
    CHECK(cuda::choose_weight_gradient(Precision::float32, batch * 360, 12, 36, 1, 4).splits == 8);
    CHECK(cuda::ChannelChunks{batch * 1440, 4, 4}.chunks > 2);
    compare_training<Wide>();
}
TEST_CASE("gradients in other precisions are close to the naive engine's") {
    // Values, gradients and weights are rounded once each; a dozen roundings of 2^-11 or 2^-8 come together.
    compare_training<Mixed, Precision::tensor_float32>(0x1p-8);
    compare_training<Mixed, Precision::float16>(0x1p-8);
    compare_training<Mixed, Precision::bfloat16>(0x1p-5);
}
TEST_CASE("in 16 bits a stem reads rows of its windows, and their gradients are those of its taps") {
    constexpr const auto& plan = cuda::CompiledTraining<Bordered, Precision::float16>::plan;
    static_assert(plan.input.pitch == 4 && plan.input.height == 15 && plan.input.width == 14);
    int readers = 0;
    for (const cuda::TrainingStep& step : plan.steps) {
        const cuda::Term& term = step.step.terms[0];
        if (term.row == 0) continue;
        ++readers;
        CHECK(term.row == 24);
        CHECK(term.source.width == 7);
        CHECK(term.depth == 5 * 24);
        CHECK(step.step.vector == 8);
    }
    CHECK(readers == 3);  // forward, again, and the weights' gradient
    compare_training<Bordered, Precision::float16>(0x1p-8);
}
#if defined(__CUDACC__)  // what the compiler makes of loops
TEST_CASE("gradients of large windows and of many classes") {
    compare_training<LargeMaxima>();
    compare_training<Large>();
    compare_training<Large>(1e-4, true);
    compare_training<Large, Precision::float16>(0x1p-8);
    compare_training<Large, Precision::float16>(0x1p-8, true);
    compare_training<Large, Precision::bfloat16>(0x1p-5);
    compare_training<Large, Precision::bfloat16>(0x1p-5, true);
}
#endif
TEST_CASE("of equal maxima the first one gets the gradient") {
    Engine<Ties> engine{batch};
    tenon_test::check_first_maxima(engine, TrainingData<Ties>{batch});
}

TEST_CASE("a step is bitwise repeatable, in whatever order blocks and threads run") {
    const auto step = [](int steps_before) {
        const TrainingData<Wide> data{batch};
        Engine<Wide> engine{batch};
        std::vector<float> all;
        for (int i = 0; i <= steps_before; ++i) {  // the double shuffles each launch differently
            engine.parameters().seed(4);
            all.assign(
                1, static_cast<float>(engine.forward_backward(data.images, std::span<const int>(data.labels)).loss));
        }
        const auto append = [&](std::span<const float> values) { all.insert(all.end(), values.begin(), values.end()); };
        append(engine.gradients().values());
        append(engine.parameters().values());
        append(engine.logits());
        return all;
    };
    const std::vector<float> first = step(0), third = step(2);
    REQUIRE(first.size() == third.size());
    CHECK(std::memcmp(first.data(), third.data(), first.size() * sizeof(float)) == 0);
}

/// Gradients of half precision, their loss scaled.
using Half = Engine<Mixed, Precision::float16>;

/// The first step of an engine with AdamW, clipping and an average; slots and average are 0.5 before.
struct HalfStep {
    static constexpr detail::UpdateStep update{
        .learning_rate = 0.1, .clip_norm = 1, .average = true, .average_decay = 0.5};

    static constexpr detail::UpdateRule adamw{
        .kind = detail::UpdateRule::Kind::adamw, .beta1 = 0.9, .beta2 = 0.99, .epsilon = 1e-8};

    explicit HalfStep(double initial, int device = -1, const detail::UpdateRule& rule = adamw)
        : engine{batch, {.loss_scaling = {.initial = initial}, .device = device}} {
        engine.parameters().seed(4);
        const auto runs = detail::parameter_runs(Parameters<Mixed>::infos(), &Half::is_trained, DecayedRoles{});
        engine.prepare_updates(rule, runs, true);
        for (const detail::TrainingArena arena : arenas)
            if (arena != detail::TrainingArena::second_slot || rule.slots() == 2)
                engine.send(arena, std::vector<float>(state_count<Mixed>, 0.5f));
    }
    detail::UpdateResult step() { return engine.train(data.images, std::span<const int>(data.labels), {}, update); }
    std::vector<float> fetched(detail::TrainingArena arena) {
        std::vector<float> values(static_cast<std::size_t>(state_count<Mixed>));
        engine.fetch(arena, values);
        return values;
    }
    /// Whether nothing has changed but running statistics.
    bool is_skipped() {
        Parameters<Mixed> before;
        before.seed(4);
        for (int i = 0; i < before.count(); ++i) {
            const bool is_statistic = !detail::is_trainable(before.infos()[static_cast<std::size_t>(i)].role);
            if (same_bytes(before[i], std::as_const(engine).parameters()[i]) == is_statistic) return false;
        }
        const std::vector<float> untouched(state_count<Mixed>, 0.5f);
        return std::ranges::all_of(arenas, [&](detail::TrainingArena arena) { return fetched(arena) == untouched; });
    }

    static constexpr detail::TrainingArena arenas[] = {
        detail::TrainingArena::first_slot, detail::TrainingArena::second_slot, detail::TrainingArena::average};
    TrainingData<Mixed> data{batch};
    Half engine;
};

bool stands_at(const detail::LossScale& scale, double value, int good_steps, bool overflowed = false) {
    return scale.scale == static_cast<float>(value) && scale.good_steps == good_steps &&
           (scale.overflowed != 0) == overflowed;
}

TEST_CASE("a step whose scaled gradients overflow is skipped and halves the scale") {
    HalfStep half{0x1p40};
    CHECK(stands_at(half.engine.loss_scale(), 0x1p40, 0));
    double scale = 0x1p40;
    for (int skipped = 0; skipped < 40; ++skipped) {
        const detail::UpdateResult result = half.step();
        CHECK(std::isfinite(result.loss.loss));
        if (half.engine.loss_scale().overflowed == 0) break;
        scale /= 2;
        CHECK(stands_at(half.engine.loss_scale(), scale, 0, true));
        CHECK(!std::isfinite(result.gradient_norm));
        CHECK(half.is_skipped());
    }
    CHECK(scale < 0x1p30);
    CHECK(stands_at(half.engine.loss_scale(), scale, 1));
    CHECK(!half.is_skipped());
    // What is skipped leaves no trace, and the norm is that of the gradients of the loss itself.
    HalfStep direct{scale}, smaller{scale / 4};
    const double norm = direct.step().gradient_norm;
    CHECK(norm == doctest::Approx(smaller.step().gradient_norm).epsilon(1e-5));
    CHECK(same_bytes(half.engine.gradients().values(), direct.engine.gradients().values()));
    for (const detail::TrainingArena arena : HalfStep::arenas)
        if (arena != detail::TrainingArena::average) CHECK(half.fetched(arena) == direct.fetched(arena));
    CHECK(half.step().gradient_norm == direct.step().gradient_norm);
}

#if defined(__CUDACC__)
TEST_CASE("engines on a device each take turns, with the bits of one that is alone") {
    int devices = 0;
    cudaGetDeviceCount(&devices);
    const detail::UpdateRule rule{.weight_decay = 0.01, .momentum = 0.9, .nesterov = true};
    HalfStep alone{1024, 0, rule};
    const auto end_of = [](HalfStep& half) {
        std::vector<float> all = half.fetched(detail::TrainingArena::first_slot);
        const auto append = [&](std::span<const float> values) { all.insert(all.end(), values.begin(), values.end()); };
        append(half.fetched(detail::TrainingArena::average));
        append(half.engine.gradients().values());
        append(std::as_const(half.engine).parameters().values());
        append(half.engine.logits());
        all.push_back(half.engine.loss_scale().scale);
        return all;
    };
    for (int i = 0; i < 2; ++i) alone.step();
    if (devices < 2) {
        MESSAGE("SKIPPED: there is one device");
        return;
    }
    for (const int current : {0, 1}) {
        cudaSetDevice(current);
        {
            HalfStep first{1024, 0, rule}, second{1024, 1, rule};
            CHECK(second.engine.runner().driver().device() == 1);
            for (int i = 0; i < 2; ++i) {
                second.step();
                first.step();
            }
            CHECK(end_of(first) == end_of(alone));
            if (first.engine.runner().driver().multiprocessors() == second.engine.runner().driver().multiprocessors())
                CHECK(end_of(second) == end_of(alone));
        }
        int now = -1;
        cudaGetDevice(&now);
        CHECK(now == current);
    }
    cudaSetDevice(0);
}
#endif

TEST_CASE("gradients are those of the loss itself at any scale that is a power of two") {
    const TrainingData<Mixed> data{batch};
    const auto gradients = [&](double scale) {
        Half engine{batch, {.loss_scaling = {.initial = scale}}};
        engine.parameters().seed(4);
        engine.forward_backward(data.images, std::span<const int>(data.labels));
        return std::vector<float>(engine.gradients().values().begin(), engine.gradients().values().end());
    };
    const std::vector<float> first = gradients(0x1p12), second = gradients(0x1p14);
    CHECK(same_bytes(first, second));
}

TEST_CASE("the scale grows after so many steps in a row, as far as numbers go") {
    const TrainingData<Mixed> data{batch};
    const auto step = [&](Half& engine) {
        engine.forward_backward(data.images, std::span<const int>(data.labels));
        return engine.loss_scale();
    };
    Half engine{batch, {.loss_scaling = {.initial = 64, .interval = 3}}};
    engine.parameters().seed(4);
    CHECK(stands_at(step(engine), 64, 1));
    CHECK(stands_at(step(engine), 64, 2));
    CHECK(stands_at(step(engine), 128, 0));
    CHECK(stands_at(step(engine), 128, 1));
    engine.set_loss_scale({0x1p40f, 2});
    CHECK(stands_at(step(engine), 0x1p39, 0, true));
    engine.set_loss_scale({256, 2});
    CHECK(stands_at(step(engine), 512, 0));

    Half wide{batch, {.loss_scaling = {.initial = 0x1p40, .growth = 0x1p127, .backoff = 0x1p-60, .interval = 1}}};
    wide.parameters().seed(4);
    CHECK(stands_at(step(wide), double{detail::min_loss_scale}, 0, true));
    wide.set_loss_scale({64});
    CHECK(stands_at(step(wide), 64, 0));
}

TEST_CASE("a loss that is no number leaves the scale where it is") {
    HalfStep half{1024};
    half.engine.set_loss_scale({1024, 7});
    half.data.images[5] = std::nanf("");
    CHECK(!std::isfinite(half.step().loss.loss));
    CHECK(stands_at(half.engine.loss_scale(), 1024, 7));
    CHECK(half.is_skipped());
}

TEST_CASE("a scaling by which the scale could not move is refused") {
    const auto make = [](LossScaling scaling) { Half{batch, {.loss_scaling = scaling}}; };
    CHECK_THROWS_WITH_AS(make({.initial = 0}), "a loss scale begins between 2^-14 and 2^127, not 0.000000", Error);
    CHECK_THROWS_AS(make({.initial = std::nan("")}), Error);
    CHECK_THROWS_WITH_AS(make({.growth = 0.5}), "a loss scale grows by a factor of 1 or more, not 0.500000", Error);
    CHECK_THROWS_WITH_AS(make({.backoff = 1}), "a loss scale backs off by a factor between 0 and 1, not 1.000000",
                         Error);
    CHECK_THROWS_WITH_AS(make({.interval = 0}), "a loss scale grows after 1 or more steps, not 0.000000", Error);
}

#if !defined(__CUDACC__)  // what the double records
TEST_CASE("half precision alone has a scale") {
    const TrainingData<Mixed> data{batch};
    const auto calls = [&](auto& engine) {
        engine.parameters().seed(4);
        engine.runner().driver().clear_calls();
        engine.forward_backward(data.images, std::span<const int>(data.labels));
        const std::vector<std::string>& all = engine.runner().driver().calls();
        const auto is_scale = [](const std::string& call) {
            return call.starts_with("launch unscale") || call.starts_with("launch move_scale");
        };
        return std::array{std::ranges::count_if(all, is_scale),
                          std::ranges::count_if(all, [](auto& call) { return call.starts_with("launch "); }),
                          std::ranges::count_if(all, [](auto& call) { return call.starts_with("download"); }),
                          std::ranges::count_if(all, [](auto& call) { return call.starts_with("synchronize"); })};
    };
    Half half{batch};
    Engine<Mixed, Precision::bfloat16> other{batch};
    const auto with = calls(half), without = calls(other);
    CHECK(with[0] == 2);
    CHECK(without[0] == 0);
    CHECK(with[1] == without[1] + 2);
    CHECK(with[2] == without[2] + 1);
    CHECK(with[3] == without[3]);
    CHECK(stands_at(half.loss_scale(), 65536, 1));
    other.set_loss_scale({8, 3});
    CHECK(stands_at(other.loss_scale(), 1, 0));
}

TEST_CASE("one launch packs the weights of all operations, of one that is computed again once") {
    const TrainingData<Parts> data{batch};
    Engine<Parts> engine{batch};
    engine.parameters().seed(4);
    engine.runner().driver().clear_calls();
    engine.forward_backward(data.images, std::span<const int>(data.labels));
    CHECK(std::ranges::count_if(engine.runner().driver().calls(),
                                [](const std::string& call) { return call.starts_with("launch pack"); }) == 1);
    int again = 0;
    for (const cuda::TrainingStep& step : cuda::CompiledTraining<Parts, Precision::float32>::plan.steps) {
        if (step.kind != detail::TrainingKind::recompute || !step.step.is_product()) continue;
        CHECK(!step.packs);
        ++again;
    }
    CHECK(again > 0);
}

TEST_CASE("weight gradients of few splits need no launch that adds them") {
    const TrainingData<Wide> data{batch};
    Engine<Wide> engine{batch};
    engine.parameters().seed(4);
    engine.runner().driver().clear_calls();
    engine.forward_backward(data.images, std::span<const int>(data.labels));
    const std::vector<std::string>& calls = engine.runner().driver().calls();
    const auto count = [&](const char* begin) {
        return std::ranges::count_if(calls, [&](const std::string& call) { return call.starts_with(begin); });
    };
    CHECK(count("launch weight_gradient 1x1x8 of") == 1);  // of the convolution
    CHECK(count("launch weight_gradient 1x1x1 of") == 1);  // of the linear layer
    CHECK(count("launch sum_weight_gradient") == 0);
}

TEST_CASE("a batch size is recorded once as a graph, and all memory is allocated before and given back") {
    const TrainingData<Ties> data{batch};
    Engine<Ties> engine{batch};
    engine.parameters().seed(4);
    cuda::EmulatedDriver& driver = engine.runner().driver();
    driver.clear_calls();
    const auto count = [&](const std::string& begin) {
        return std::ranges::count_if(driver.calls(), [&](const std::string& call) { return call.starts_with(begin); });
    };
    const auto step = [&](std::size_t images) {
        driver.clear_calls();
        engine.forward_backward(std::span(data.images).first(images * 98), std::span(data.labels).first(images));
        CHECK(count("allocate") == 0);
        CHECK(count("launch_graph") == 1);
    };
    step(3);
    CHECK(count("begin_graph") == 1);
    CHECK(count("launch loss 3x1x1 of 128") == 1);
    step(3);
    CHECK(count("begin_graph") == 0);
    CHECK(count("launch ") == 0);
    step(2);
    CHECK(count("begin_graph") == 1);
}
#endif

TEST_CASE("bad batches and labels are refused") {
    const TrainingData<Ties> data{batch};
    Engine<Ties> engine{batch};
    std::vector<int> labels = data.labels;
    labels[2] = 3;
    CHECK_THROWS_WITH_AS(engine.forward_backward(data.images, std::span<const int>(labels)),
                         doctest::Contains("label 3 of image 2 is not one of the network's classes 0 to 2"), Error);
    CHECK_THROWS_AS(engine.forward_backward(std::span(data.images).first(7), std::span<const int>(labels)), Error);
    CHECK_THROWS_AS((Engine<Ties>{0}), Error);
}

}  // namespace
