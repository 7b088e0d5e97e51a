// What reports say of small networks, and of ResNet50V2's totals.
#include <doctest/doctest.h>

#include <tenon/models/resnet_v2.hpp>
#include <tenon/program/passes/optimize.hpp>
#include <tenon/report/dot.hpp>
#include <tenon/report/profile.hpp>
#include <tenon/report/summary.hpp>
#include <tenon/topology/training_parts.hpp>

#include "../support.hpp"

namespace {

using namespace tenon;
using tenon_test::contains;

struct Small : Network<Input<3, 8, 8>, Conv<4, Kernel<3>, Bias>, BatchNorm, ReLU, GlobalAvgPool, Linear<10>> {};

TEST_CASE("a summary lists blocks, layers and totals") {
    CHECK(summary<Small>() ==
          "layer                 output     parameters  multiply-adds  weights (KiB)  output (KiB)\n"
          "---------------------------------------------------------------------------------------\n"
          "conv0                 [4, 6, 6]         112          3,888              1             1\n"
          "norm0                 [4, 6, 6]           8                             1             1\n"
          "relu0                 [4, 6, 6]                                                       1\n"
          "global_average_pool0  [4]                                                             1\n"
          "linear0               [10]               50             40              1             1\n"
          "---------------------------------------------------------------------------------------\n"
          "parameters:         170 (0 KiB as floats)\n"
          "running statistics: 8\n"
          "multiply-adds:      3,928 per image\n"
          "all outputs:        2 KiB per image, if each had memory of its own; a plan lets them share\n");
    const std::string text = summary<ResNet50V2<Classes<1000>>>();
    CHECK(contains(text, "parameters:         25,549,416"));
    CHECK(contains(text, "multiply-adds:      3,482,255,360 per image"));
    CHECK(contains(text, "\n  block2  "));
    CHECK(contains(text, "\n      conv2  "));
}

TEST_CASE("rows of a network count each layer once, frozen ones apart, and scopes are the sums of what is in them") {
    struct PartlyFrozen : Network<Input<3, 8, 8>, Frozen<Conv<4, Kernel<3>, Bias>>, BatchNorm,
                                  Residual<Conv<4>, Identity>, GlobalAvgPool, Linear<10>> {};
    const std::vector<reports::LayerRow> rows = reports::layers<PartlyFrozen>();
    reports::LayerRow total = detail::total_of(rows);
    CHECK(total.frozen == 112);
    CHECK(total.parameters == parameter_count<PartlyFrozen> - 112);
    CHECK(total.parameter_bytes() == 4 * state_count<PartlyFrozen>);
    CHECK(total.multiply_adds == multiply_adds<PartlyFrozen>);
    CHECK(contains(summary<PartlyFrozen>(), "of these frozen:    112, which training does not change\n"));
    // Each scope's sums are those of the rows below it that are deeper, whatever their depth.
    for (const auto& net_rows : {rows, reports::layers<ResNet50V2<Classes<1000>>>()})
        for (std::size_t i = 0; i < net_rows.size(); ++i) {
            if (!net_rows[i].is_scope()) continue;
            reports::LayerRow sum;
            for (std::size_t j = i + 1; j < net_rows.size() && net_rows[j].depth > net_rows[i].depth; ++j) {
                CHECK(net_rows[j].name.starts_with(net_rows[i].name + "."));
                if (!net_rows[j].is_scope()) sum.add(net_rows[j]);
            }
            CHECK(sum.parameters == net_rows[i].parameters);
            CHECK(sum.multiply_adds == net_rows[i].multiply_adds);
            CHECK(sum.output_bytes == net_rows[i].output_bytes);
        }
    const std::string json = reports::to_json(std::span<const reports::LayerRow>(rows));
    CHECK(json.starts_with(R"({"layers":[
{"name":"conv0","depth":0,"kind":"conv","output":[4, 6, 6],"parameters":0,"frozen":112,"statistics":0,)"
                           R"("multiply_adds":3888,"parameter_bytes":448,"output_bytes":576},)"));
    CHECK(contains(json, R"({"name":"block0.body","depth":1,"kind":"scope","output":[4, 6, 6],"parameters":16,)"));
    CHECK(contains(json, R"("total":{"parameters":74,"frozen":112,"statistics":8,)"));
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
    CHECK(contains(to_dot(joined, {.expanded = true}), "block0.body.conv0\\n+ block0.shortcut.conv0"));
}

TEST_CASE("a graph has a box for each block, in a cluster for each stack, or clusters with all operations") {
    using Net = ResNet50V2<Classes<1000>>;
    const auto count = [](const std::string& text, const std::string& part) {
        int found = 0;
        for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++found;
        return found;
    };
    const std::string text = to_dot<Net>();
    CHECK(count(text, "subgraph") == 6);                // stem, four stacks, head
    CHECK(count(text, "fillcolor=\"#dbe9f6\"") == 16);  // 3 + 4 + 6 + 3 blocks
    CHECK(count(text, " -> ") < 30);
    CHECK(contains(text,
                   "    \"stack0.block1\" [label=\"stack0.block1\\nconvolutions 1 x 1, 3 x 3, 1 x 1\\n"
                   "10 operations, 218,365,952 multiply-adds\""));
    CHECK(contains(text, "  \"stack0.block0\" -> \"stack0.block1\" [label=\"[256, 56, 56]\"];\n"));
    const std::string all = to_dot<Net>({.expanded = true});
    CHECK(contains(all, "label=\"stack0.block1.body\";"));
    CHECK(count(all, " [label=\"stack0.block1.body.conv") == 3);
    for (const std::string& each : {text, all}) {
        CHECK(count(each, "{") == count(each, "}"));
        CHECK(!contains(each, "stack0.block1\" -> \"stack0.block1\""));
    }
}

}  // namespace
