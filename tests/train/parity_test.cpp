// The naive engine in double against PyTorch in double: 1e-10 after one step, 1e-8 after twenty.
#include <algorithm>
#include <cmath>

#include <tenon/engine/reference_training.hpp>
#include <tenon/runtime/model.hpp>

#include "golden_nets.hpp"
#include "golden_trace.hpp"

namespace {
using namespace tenon_test;

template <class Net>
void check(const GoldenCase& golden) {
    tenon::reference::TrainingEngine<Net, double> engine{golden.batch};
    replay<Net>(engine, within(golden, 1e-10, 1e-8));
}

TEST_CASE("training steps of the listing's stacks equal PyTorch's") { check<GoldenStack>(stack_case); }
TEST_CASE("training steps of basic blocks equal PyTorch's") { check<GoldenBasic>(basic_case); }
TEST_CASE("training steps with groups, dropout and soft targets equal PyTorch's") { check<GoldenMixed>(mixed_case); }

TEST_CASE("what does not fit is refused and changes nothing") {
    tenon::reference::TrainingEngine<GoldenMixed, double> engine{4};
    draw_parameters<GoldenMixed>(engine);
    const std::vector<double> before(engine.parameters().values().begin(), engine.parameters().values().end());
    const std::vector<double> images(static_cast<std::size_t>(2 * input_shape<GoldenMixed>.elements()), 0.5);
    const auto step = [&](std::span<const double> pixels, std::vector<int> labels, StepOptions options = {}) {
        engine.forward_backward(pixels, std::span<const int>(labels), options);
    };
    CHECK_THROWS_WITH_AS(step(images, {0, 3}),
                         doctest::Contains("label 3 of image 1 is not one of the network's classes"), Error);
    CHECK_THROWS_WITH_AS(step(images, {0, -1}), doctest::Contains("label -1 of image 1"), Error);
    CHECK_THROWS_WITH_AS(step(images, {0}), doctest::Contains("needs 2 labels, not 1"), Error);
    CHECK_THROWS_WITH_AS(step(std::span(images).first(17), {0}), doctest::Contains("positive multiple"), Error);
    CHECK_THROWS_WITH_AS(step({}, {}), doctest::Contains("positive multiple"), Error);
    CHECK_THROWS_WITH_AS(step(images, {0, 1}, {.label_smoothing = 1.5}), doctest::Contains("label smoothing"), Error);
    const std::vector<double> many(static_cast<std::size_t>(5 * input_shape<GoldenMixed>.elements()), 0.5);
    CHECK_THROWS_WITH_AS(step(many, {0, 1, 2, 0, 1}), doctest::Contains("at most 4"), Error);
    const std::vector<double> soft{0.5, 0.5, 0, 0, -0.1, 1.1};
    CHECK_THROWS_WITH_AS(engine.forward_backward(images, std::span<const double>(soft)),
                         doctest::Contains("of image 1 is not a probability"), Error);
    CHECK(std::equal(before.begin(), before.end(), engine.parameters().values().begin()));
    step(images, {0, 1});
    CHECK_FALSE(std::equal(before.begin(), before.end(), engine.parameters().values().begin()));
    CHECK_THROWS_AS((tenon::reference::TrainingEngine<GoldenMixed, double>{0}), Error);
}

struct OnePixel : Network<Input<4>, BatchNorm, Linear<2>> {};

TEST_CASE("a batch norm refuses a single value per channel") {
    tenon::reference::TrainingEngine<OnePixel, double> engine{2};
    const std::vector<double> image(4, 0.5);
    const std::vector<int> label{1};
    CHECK_THROWS_WITH_AS(engine.forward_backward(image, std::span<const int>(label)),
                         doctest::Contains("has no variance"), Error);
}

template <class Pool>
struct Pooled : Network<Input<2, 4, 4>, Pool> {};

/// Whether a NaN in the middle of the second channel comes out of it, and of nothing else, by both interpreters.
template <class Pool, class Scalar>
bool passes_a_nan_on() {
    using Net = Pooled<Pool>;
    std::vector<Scalar> image(32, Scalar{0.5});
    image[16 + 5] = std::numeric_limits<Scalar>::quiet_NaN();
    Model<Net, Reference<Scalar>> model;
    model.initialize(1);
    const std::span<const Scalar> inferred = model(image);
    reference::TrainingEngine<Net, Scalar> engine{1};
    const std::span<const Scalar> trained = engine.forward(image);
    const auto is_nan = [](Scalar value) { return std::isnan(value); };
    const auto half = static_cast<std::ptrdiff_t>(inferred.size() / 2);
    return std::ranges::none_of(inferred.first(inferred.size() / 2), is_nan) &&
           std::any_of(inferred.begin() + half, inferred.end(), is_nan) &&
           std::ranges::equal(inferred, trained,
                              [&](Scalar a, Scalar b) { return a == b || (is_nan(a) && is_nan(b)); });
}

TEST_CASE("a NaN is the maximum of its window, as in torch") {
    CHECK(passes_a_nan_on<MaxPool<Kernel<2>>, double>());
    CHECK(passes_a_nan_on<MaxPool<Kernel<3>, Padding<1>>, float>());
    CHECK(passes_a_nan_on<GlobalMaxPool, double>());
    CHECK(passes_a_nan_on<GlobalMaxPool, float>());
}

struct FrozenNet : Network<Input<3, 6, 6>, Frozen<Conv<4, Kernel<3>>, BatchNorm, ReLU>, Conv<4>, BatchNorm,
                           GlobalAvgPool, Linear<2>> {};

TEST_CASE("frozen layers stay bitwise as they are, and nothing is kept for them") {
    tenon::reference::TrainingEngine<FrozenNet, double> engine{3};
    draw_parameters<FrozenNet>(engine);
    const std::vector<double> before(engine.parameters().values().begin(), engine.parameters().values().end());
    const std::vector<double> images(static_cast<std::size_t>(3 * input_shape<FrozenNet>.elements()), 0.25);
    const std::vector<int> labels{0, 1, 1};
    engine.forward_backward(images, std::span<const int>(labels));
    for (int i = 0; i < engine.parameters().count(); ++i) {
        const tenon::detail::Parameter& info = lowered<FrozenNet>.parameters[i];
        const bool frozen = lowered<FrozenNet>.layers[info.layer].frozen;
        CHECK(frozen == (info.layer < 3));
        const auto now = engine.parameters()[i];
        const bool same = std::equal(now.begin(), now.end(), before.begin() + info.offset);
        CHECK(same == (frozen || tenon::detail::is_trainable(info.role)));
        const auto gradient = engine.gradients()[i];
        const bool none = std::all_of(gradient.begin(), gradient.end(), [](double g) { return g == 0; });
        CHECK(none == !engine.is_trained(i));
    }
    constexpr auto& program = tenon::detail::training_program<FrozenNet, tenon::detail::DifferentiationOptions{}>;
    int first_read = program.values.size();
    for (int i = program.forward_ops; i < program.ops.size(); ++i)
        tenon::detail::for_each_operand(program.ops[i], [&](int value) { first_read = std::min(first_read, value); });
    CHECK(first_read > 1);  // neither the input nor the frozen convolution's result
}

}  // namespace
