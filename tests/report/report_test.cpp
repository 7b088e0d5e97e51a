// What reports say of small networks, and of ResNet50V2's totals.
#include <doctest/doctest.h>

#include <tenon/models/resnet_v2.hpp>
#include <tenon/program/passes/optimize.hpp>
#include <tenon/report/dot.hpp>
#include <tenon/report/profile.hpp>
#include <tenon/report/summary.hpp>

#include "../support.hpp"

namespace {

using namespace tenon;
using tenon_test::contains;

struct Small : Network<Input<3, 8, 8>, Conv<4, Kernel<3>, Bias>, BatchNorm, ReLU, GlobalAvgPool, Linear<10>> {};

TEST_CASE("a summary lists layers and totals") {
    const std::string text = summary<Small>();
    CHECK(contains(text, "conv0"));
    CHECK(contains(text, "[4, 6, 6]"));
    CHECK(contains(text, "3,888"));                    // 36 pixels x 108 weights
    CHECK(contains(text, "parameters:         170"));  // 112 + 8 + 50
    CHECK(contains(text, "running statistics: 8"));
    CHECK(contains(summary<ResNet50V2<Classes<1000>>>(), "parameters:         25,549,416"));
    CHECK(contains(summary<ResNet50V2<Classes<1000>>>(), "multiply-adds:      3,482,255,360 per image"));
}

TEST_CASE("numbers are grouped by thousands") {
    CHECK(detail::with_commas(0) == "0");
    CHECK(detail::with_commas(999) == "999");
    CHECK(detail::with_commas(1000) == "1,000");
    CHECK(detail::with_commas(25549416) == "25,549,416");
    CHECK(detail::with_commas(-1234) == "-1,234");
}

TEST_CASE("a graph has a box per operation and an arrow per operand") {
    const std::string text = to_dot<Small>();
    CHECK(contains(text, "digraph network {"));
    CHECK(contains(text, "input -> op0 [label=\"[3, 8, 8]\"]"));
    CHECK(contains(text, "op4 -> output [label=\"[10]\"]"));
    constexpr auto optimised = optimize(lowered<Small>);
    CHECK(contains(to_dot(optimised), "conv0\\nnorm0\\nReLU"));
}

TEST_CASE("a profile has a row per step, and its work is the network's") {
    Model<Small> model{{.threads = 1}};
    model.initialize(1);
    const std::vector<float> image(192, 0.5f);
    const std::vector<StepProfile> steps = profile<Small>(model, image, 3);
    REQUIRE(steps.size() == 5);
    CHECK(steps[1].name == "conv0");
    CHECK(steps[1].multiply_adds == 3888);
    CHECK(steps[3].multiply_adds == 40);
    CHECK(steps[1].input == Shape{3, 8, 8});
    CHECK(steps[1].bytes >= 4 * (192 + 144 + 108));
    long work = 0;
    for (const StepProfile& step : steps) {
        CHECK(step.seconds > 0);
        work += step.multiply_adds;
    }
    CHECK(work == multiply_adds<Small>);
    CHECK(contains(to_string(steps), "linear0"));
    CHECK(tenon_test::error_of([&] { profile<Small>(model, image, 0); }) == "a profile takes 1 or more runs, not 0");
}

TEST_CASE("a table of profiles has a heading with units, and explains rates above the peak where there may be some") {
    StepProfile load, plain;
    load.name = "load_input";
    load.input = load.output = {3, 8, 8};
    load.seconds = 0.001;
    plain.name = "stack0.block0.body.conv0";
    plain.input = {3, 8, 8};
    plain.output = {4};
    plain.multiply_adds = 2'000'000;
    plain.seconds = 0.003;
    const std::string table = to_string(std::vector<StepProfile>{load, plain});
    CHECK(
        table ==
        "step                                      input            output           time/image  share of      rate\n"
        "                                                                                  (ms)  time (%) (GFLOP/s)\n"
        "load_input                                [3, 8, 8]        [3, 8, 8]             1.000      25.0         -\n"
        "stack0.block0.body.conv0                  [3, 8, 8]        [4]                   3.000      75.0       1.3\n"
        "all steps                                                                        4.000     100.0       1.0\n");
    StepProfile fast = plain;
    fast.name =
        "a layer inside of many scopes with a name of more than two hundred characters " + std::string(200, 'x');
    fast.saves_products = true;
    const std::string explained = to_string(std::vector<StepProfile>{load, plain, fast});
    CHECK(contains(explained, "1.3*\n"));
    CHECK(contains(explained, fast.name + "  "));
    CHECK(contains(explained, "more than 100 % of"));
    CHECK(to_string(std::vector<StepProfile>{}).find("all steps") != std::string::npos);
}

TEST_CASE("a graph of an optimised program names both convolutions of a sum") {
    struct Projected : Network<Input<3, 8, 8>, Conv<4>, ReLU, Residual<Conv<8>, Conv<8>>> {};
    constexpr auto joined = optimize(lowered<Projected>);
    CHECK(contains(to_dot(joined), "block0.body.conv0\\n+ block0.shortcut.conv0"));
}

}  // namespace
