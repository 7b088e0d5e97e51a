// Initial parameters: their distributions, what is zero, and that each is a function of seed and index.
#include <algorithm>
#include <cmath>

#include <doctest/doctest.h>

#include <tenon/models/cifar.hpp>
#include <tenon/models/resnet_v1.hpp>
#include <tenon/topology/block.hpp>
#include <tenon/train/optimizers/initializers.hpp>
#include <tenon/weights/parameters.hpp>

namespace {
using namespace tenon;

struct Layers
    : Network<Input<32, 8, 8>, Conv<64, Kernel<3>, Groups<2>, Bias>, BatchNorm, ReLU, GlobalAvgPool, Linear<200>> {};

struct Moments {
    double mean = 0, deviation = 0, largest = 0;
};
Moments moments(std::span<const float> values) {
    Moments result;
    for (const float value : values) {
        result.mean += static_cast<double>(value) / static_cast<double>(values.size());
        result.largest = std::max(result.largest, std::abs(static_cast<double>(value)));
    }
    for (const float value : values)
        result.deviation += std::pow(static_cast<double>(value) - result.mean, 2) / static_cast<double>(values.size());
    result.deviation = std::sqrt(result.deviation);
    return result;
}

// Tensors of Layers: 0 and 1 the convolution's, 2 to 5 the batch norm's, 6 and 7 the linear layer's. The convolution
// has 16 input channels a group, so fan_in is 144 and fan_out 576; the linear layer's are 64 and 200.
void check_uniform(std::span<const float> values, double bound) {
    const Moments found = moments(values);
    CHECK(found.largest <= bound);
    CHECK(found.largest > 0.99 * bound);
    CHECK(std::abs(found.mean) < 0.05 * bound);
    CHECK(found.deviation == doctest::Approx(bound / std::sqrt(3.0)).epsilon(0.03));
}
void check_normal(std::span<const float> values, double deviation) {
    const Moments found = moments(values);
    CHECK(std::abs(found.mean) < 0.05 * deviation);
    CHECK(found.deviation == doctest::Approx(deviation).epsilon(0.03));
    CHECK(found.largest > 3 * deviation);
    CHECK(found.largest < 6 * deviation);
    // Of a normal distribution 68.3 % lie within one deviation, of a uniform one 57.7 %.
    long within = 0;
    for (const float value : values) within += std::abs(value) < deviation ? 1 : 0;
    CHECK(static_cast<double>(within) / static_cast<double>(values.size()) == doctest::Approx(0.683).epsilon(0.03));
}
Parameters<Layers> drawn(const Initialization& rules) {
    Parameters<Layers> parameters;
    for (float& value : parameters.values()) value = 7;
    initialize<Layers>(parameters, rules, 5);
    return parameters;
}
bool all(std::span<const float> values, float expected) {
    return std::all_of(values.begin(), values.end(), [&](float value) { return value == expected; });
}

TEST_CASE("weights have the bounds and deviations of their rules") {
    const auto torch = drawn(Initialization::torch());
    check_uniform(torch[0], 1 / std::sqrt(144.0));
    check_uniform(torch[6], 1 / std::sqrt(64.0));
    CHECK(moments(torch[1]).largest <= 1 / std::sqrt(144.0));
    CHECK(moments(torch[1]).largest > 0.8 / std::sqrt(144.0));
    CHECK(moments(torch[7]).largest > 0.9 / std::sqrt(64.0));

    const auto torchvision = drawn(Initialization::torchvision());
    check_normal(torchvision[0], std::sqrt(2 / 576.0));
    check_uniform(torchvision[6], 1 / std::sqrt(64.0));

    const auto kaiming = drawn(Initialization::kaiming());
    check_normal(kaiming[0], std::sqrt(2 / 144.0));
    check_normal(kaiming[6], std::sqrt(2 / 64.0));
    CHECK(all(kaiming[1], 0));
    CHECK(all(kaiming[7], 0));

    const auto keras = drawn(Initialization::keras());
    check_uniform(keras[0], std::sqrt(6.0 / (144 + 576)));
    check_uniform(keras[6], std::sqrt(6.0 / (64 + 200)));
    CHECK(all(keras[7], 0));

    const auto uniform = drawn({WeightRule::kaiming_uniform_in, WeightRule::kaiming_uniform_out, BiasRule::zero});
    check_uniform(uniform[0], std::sqrt(6 / 144.0));
    check_uniform(uniform[6], std::sqrt(6 / 200.0));
    check_normal(drawn({WeightRule::torch_default, WeightRule::normal_hundredth, BiasRule::zero})[6], 0.01);
}

TEST_CASE("batch norms start as the identity") {
    const auto parameters = drawn(Initialization::torch());
    CHECK(all(parameters[2], 1));
    CHECK(all(parameters[3], 0));
    CHECK(all(parameters[4], 0));
    CHECK(all(parameters[5], 1));
}

TEST_CASE("an initial value is a function of seed, tensor and element") {
    Parameters<Layers> a = drawn(Initialization::kaiming()), b = drawn(Initialization::kaiming()), c;
    initialize<Layers>(c, Initialization::kaiming(), 6);
    CHECK(std::equal(a.values().begin(), a.values().end(), b.values().begin()));
    CHECK_FALSE(std::equal(a[0].begin(), a[0].end(), c[0].begin()));
    CHECK(a[0][17] ==
          static_cast<float>(detail::draw_weight(WeightRule::kaiming_normal_in, 144, 576, 5, detail::mix(1), 17)));
    CHECK(a[0][17] != a[6][17]);
}

/// The names of tensors that are all zero.
template <class Net>
std::vector<std::string> zeros(bool zero_residuals) {
    Initialization rules = Initialization::kaiming();
    rules.zero_residuals = zero_residuals;
    Parameters<Net> parameters;
    initialize<Net>(parameters, rules, 1);
    std::vector<std::string> found;
    const auto names = detail::parameter_names<Net>(Naming::canonical);
    for (int i = 0; i < parameters.count(); ++i) {
        const ParameterRole role = parameters.infos()[static_cast<std::size_t>(i)].role;
        if ((role == ParameterRole::weight || role == ParameterRole::gamma) && all(parameters[i], 0))
            found.push_back(names[static_cast<std::size_t>(i)]);
    }
    return found;
}

struct PostActivated
    : Network<Input<3, 8, 8>,
              detail::Scoped<detail::ScopeKind::stack, detail::BasicBlock<4, 1, true>, detail::BasicBlock<4>>,
              GlobalAvgPool, Linear<3>> {};
struct PreActivated : Network<Input<3, 8, 8>, Conv<8, Kernel<3>>, Stack<2, 2>, GlobalAvgPool, Linear<3>> {};
struct Dropped : Network<Input<3, 8, 8>, Residual<Sequential<Conv<3>, BatchNorm, Dropout<>>, Identity>,
                         Residual<Sequential<Conv<3>, ReLU>, Identity>, GlobalAvgPool, Linear<3>> {};

TEST_CASE("residual blocks start as their shortcuts, if asked for") {
    const std::vector<std::string> none;
    CHECK(zeros<PostActivated>(false) == none);
    CHECK(zeros<PreActivated>(false) == none);
    CHECK(zeros<PostActivated>(true) ==
          std::vector<std::string>{"stack0.block0.body.norm1.weight", "stack0.block1.body.norm1.weight"});
    CHECK(zeros<PreActivated>(true) ==
          std::vector<std::string>{"stack0.block0.body.conv2.weight", "stack0.block1.body.conv2.weight"});
    // After a ReLU a zero would never change again.
    CHECK(zeros<Dropped>(true) == std::vector<std::string>{"block0.body.norm0.weight"});
}

}  // namespace
