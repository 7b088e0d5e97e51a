// Networks of every kind of layer and shortcut through the reports as a user calls them, timing profile included, and
// through what `scripts/bench layers` does with a network. The program is compiled with sanitizers.
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include <tenon/models/variants.hpp>
#include <tenon/report/dot.hpp>
#include <tenon/report/onnx.hpp>
#include <tenon/report/profile.hpp>
#include <tenon/report/summary.hpp>

#include "../support.hpp"

namespace {

using namespace tenon;
using tenon_test::contains;
using enum ShortcutKind;

struct SiLU : Product<Identity, Sigmoid> {};

/// A product of the input with itself, before anything else.
struct Squared : Network<Input<4, 6, 6>, Product<Identity, Identity>, Conv<4>> {};

/// What a MobileNet and squeeze-and-excitation are made of: products, groups of one channel, averages over padding.
struct Mobile : Network<Input<3, 16, 16>, Conv<16, Kernel<3>, Stride<2>, Padding<1>>, BatchNorm, SiLU,
                        Residual<Sequential<Conv<32>, BatchNorm, SiLU, Conv<32, Kernel<3>, Padding<1>, Groups<32>>,
                                            BatchNorm, SiLU, Conv<16>, BatchNorm>,
                                 Identity>,
                        Product<Identity, Sequential<AvgPool<Kernel<15>, Stride<1>, Padding<7>, PadExcluded>,
                                                     Conv<4, Bias>, ReLU, Conv<16, Bias>, Sigmoid>>,
                        GlobalAvgPool, Linear<5>> {};

/// The other kinds of operations: paddings, subsamplings, projections with strides, a flattened map, probabilities.
struct Parts
    : Network<
          Input<4, 21, 17>, Conv<12, Kernel<5, 3>, Stride<2, 1>, Padding<2, 0, 1, 1>, Groups<4>, Bias>,
          AvgPool<Kernel<3>, Stride<2>, Padding<1>>, Scale<-1, 3>, MaxPool<Kernel<3, 2>, Padding<1, 0, 1, 1>, PadZero>,
          GatedResidual<Sequential<Conv<12>, BatchNorm>, Identity, Conv<12, Bias>>,
          Residual<Sequential<Conv<16, Kernel<1>, Stride<2>>, BatchNorm>, Conv<16, Stride<2>>>,
          PadChannels<19, Stride<1, 2>>, Dropout<>, Flatten, Linear<12, NoBias>, BatchNorm, ReLU, Linear<7>, Softmax> {
};

/// A block with one of the papers' shortcuts.
template <ShortcutKind Kind>
struct Variant : Network<Input<16, 8, 8>, Block<16, Basic, Shortcut<Kind>, Placement<ActivationPlacement::original>>,
                         GlobalAvgPool, Linear<3>> {};

template <class Net>
std::vector<float> image() {
    return std::vector<float>(static_cast<std::size_t>(input_shape<Net>.elements()), 0.5f);
}

/// Every step of a network by itself, as the benchmark of layers runs it.
template <class Net, cpu::ConvAlgorithm Algorithm>
void run_steps() {
    cpu::Engine<Net, Algorithm> engine{1, 1};
    Parameters<Net> parameters;
    parameters.seed(1);
    engine.set_parameters(parameters.tensors());
    const std::vector<float> input = image<Net>();
    std::vector<float> results(static_cast<std::size_t>(output_shape<Net>.elements()));
    engine.run(input.data(), results.data(), 1);
    const std::vector<float> expected = results;
    const std::vector<StepProfile> profiles = step_profiles<Net, Algorithm>();
    REQUIRE(profiles.size() == static_cast<std::size_t>(cpu::CompiledNetwork<Net, Algorithm>::steps));
    for (int step = 0; step < cpu::CompiledNetwork<Net, Algorithm>::steps; ++step)
        engine.run_step(step, input.data(), results.data());
    CHECK(tenon_test::same_bytes(results, expected));
}

template <class Net>
void report(const std::string& name) {
    CAPTURE(name);
    Model<Net> model{{.threads = 1}};
    model.initialize(1);
    const std::vector<StepProfile> profiles = profile(model, image<Net>(), 1);
    REQUIRE(profiles.size() == static_cast<std::size_t>(cpu::CompiledNetwork<Net>::steps));
    long work = 0;
    for (const StepProfile& step : profiles) {
        CAPTURE(step.name);
        CHECK(step.seconds > 0);
        work += step.multiply_adds;
    }
    CHECK(work == multiply_adds<Net>);
    const std::string table = to_string(profiles);
    CHECK(contains(table, "(GFLOP/s)"));
    for (const StepProfile& step : profiles) CHECK(contains(table, step.name));
    run_steps<Net, cpu::ConvAlgorithm::fast>();
    CHECK(contains(summary<Net>(), "multiply-adds:"));
    CHECK(contains(to_dot<Net>(), "-> output"));
    const tenon_test::TemporaryFolder folder;
    Parameters<Net> parameters;
    parameters.seed(1);
    write_onnx(folder.file("network.onnx"), parameters);
    CHECK(tenon_test::read_file(folder.file("network.onnx")).size() > static_cast<std::size_t>(4 * state_count<Net>));
    MESSAGE(name << ": " << profiles.size() << " steps");
}

TEST_CASE("reports and steps of the six shortcuts") {
    report<Variant<identity>>("identity");
    report<Variant<constant_scaling>>("constant scaling");
    report<Variant<exclusive_gating>>("exclusive gating");
    report<Variant<shortcut_only_gating>>("shortcut-only gating");
    report<Variant<convolution>>("convolution");
    report<Variant<dropout>>("dropout");
    report<CifarVariant<1, Shortcut<exclusive_gating>, Placement<ActivationPlacement::original>>>("a whole network");
}

TEST_CASE("reports and steps of products and of all kinds of layers") {
    report<Squared>("a product of the input with itself");
    report<Mobile>("a MobileNet's block with squeeze-and-excitation");
    report<Parts>("all kinds of operations");
    run_steps<Parts, cpu::ConvAlgorithm::exact>();
}

TEST_CASE("a product is named by itself, a sum of two convolutions by both") {
    std::string names;
    for (const StepProfile& step : step_profiles<Mobile>()) names += step.name + "\n";
    CHECK(contains(names, "\nmultiply0\n"));
    CHECK(!contains(names, "multiply0 +"));
    names.clear();
    for (const StepProfile& step : step_profiles<Parts>()) names += step.name + "\n";
    CHECK(contains(names, "block1.body.conv0 + block1.shortcut.conv0\n"));
}

}  // namespace
