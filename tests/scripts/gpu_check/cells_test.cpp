// The cells of scripts/gpu_check's program on a tiny network in the emulator: comparisons hold and can fail,
// measurements count what they say, the work of a training step is what arithmetic gives.
#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>

#include <cell.hpp>
#include <doctest/doctest.h>
#include <training_cost.hpp>

#include <tenon/engine/emulated_cuda_training.hpp>
#include <tenon/topology/channel_ops.hpp>

namespace {

using namespace gpu_check;
using tenon::EmulatedCuda;
using tenon::Precision;

/// Without kinks.
struct Tiny
    : tenon::Network<tenon::Input<3, 8, 8>, tenon::Conv<8, tenon::Kernel<3>, tenon::Stride<2>, tenon::Padding<1>>,
                     tenon::BatchNorm, tenon::Sigmoid, tenon::GlobalAvgPool, tenon::Linear<4>> {};

/// With kinks, after a pool that chooses.
struct Kinked : tenon::Network<tenon::Input<3, 9, 9>, tenon::Conv<8, tenon::Kernel<3>, tenon::Bias>,
                               tenon::MaxPool<tenon::Kernel<3>, tenon::Stride<2>, tenon::Padding<1>>, tenon::BatchNorm,
                               tenon::ReLU, tenon::Residual<tenon::Conv<8>, tenon::Identity>,
                               tenon::MaxPool<tenon::Kernel<1>, tenon::Stride<2>>, tenon::BatchNorm, tenon::ReLU,
                               tenon::GlobalAvgPool, tenon::Linear<4>> {};

nlohmann::json finding(const std::vector<nlohmann::json>& findings, std::string_view what) {
    for (const nlohmann::json& candidate : findings)
        if (candidate["what"] == what) return candidate;
    FAIL("there is no finding about ", what);
    return {};
}

TEST_CASE("a training step is compared with the CPU's in all that it makes") {
    const auto check = [](Precision precision, const std::vector<nlohmann::json>& findings) {
        CHECK(findings.size() == 5);
        for (const char* what : {"logits", "loss", "gradients", "changes of parameters", "running statistics"}) {
            const nlohmann::json found = finding(findings, what);
            CAPTURE(found.dump());
            CHECK(found["kind"] == "step");
            CHECK(found["precision"] == name_of(precision));
            CHECK(found["error"].get<double>() <= found["bound"].get<double>());
        }
    };
    check(Precision::float32, compare_step<Tiny, EmulatedCuda<>>("Tiny", Precision::float32, 5));
    constexpr Precision half = Precision::float16;
    const auto rounded = compare_step<Tiny, EmulatedCuda<half>>("Tiny", half, 5);
    check(half, rounded);
    // What is rounded differs: an error that is always zero would compare nothing.
    CHECK(finding(rounded, "gradients")["error"].get<double>() > 1e-4);
    CHECK(finding(rounded, "changes of parameters")["error"].get<double>() > 1e-4);
    // With kinks: nothing but logits below 32 bits.
    CHECK(compare_step<Kinked, EmulatedCuda<half>>("Kinked", half, 3).size() == 1);
    check(Precision::float32, compare_step<Kinked, EmulatedCuda<>>("Kinked", Precision::float32, 3));
}

TEST_CASE("a step that would be skipped is done again with a smaller scale of the loss") {
    using Training = DeviceTraining<Tiny, EmulatedCuda<Precision::float16>>;
    Training training{5}, direct{5};
    training.engine().set_loss_scale({0x1p40f});
    const double loss = training.first_step(compared_parameters_of<Tiny>(), compared_rate);
    const tenon::detail::LossScale scale = training.engine().loss_scale();
    CHECK(scale.scale < 0x1p30f);
    CHECK(scale.good_steps == 1);
    direct.engine().set_loss_scale({scale.scale});
    CHECK(answer_of<Tiny>(training.engine(), loss) ==
          answer_of<Tiny>(direct.engine(), direct.first_step(compared_parameters_of<Tiny>(), compared_rate)));

    // Of a convolution without weights come a finite loss and, by the norm's factor, infinite gradients.
    tenon::Parameters<Tiny> parameters;
    std::ranges::fill(parameters[1], 1e20f);
    for (std::size_t i = 0; i < parameters[5].size(); ++i) parameters[5][i] = i % 3 == 0 ? 10.0f : -10.0f;
    training.engine().set_loss_scale({16 * tenon::detail::min_loss_scale});
    CHECK_THROWS_WITH_AS(training.first_step(parameters, 1), doctest::Contains("overflow at every scale"),
                         tenon::Error);
}

TEST_CASE("networks with kinks are compared away from them") {
    static_assert(has_kinks<Kinked> && !has_kinks<Tiny>);
    const tenon::Parameters<Kinked> parameters = compared_parameters_of<Kinked>();
    int norms = 0;
    for (int i = 0; i < parameters.count(); ++i) {
        const tenon::ParameterRole role = tenon::lowered<Kinked>.parameters[i].role;
        // What a pool chooses among has other gradients when it chooses another one.
        const bool in_front = i == 0 && role == tenon::ParameterRole::weight;
        CHECK(is_compared<Kinked>(i) == (tenon::detail::is_trainable(role) && !in_front));
        if (role != tenon::ParameterRole::beta) continue;
        ++norms;
        int above = 0;
        for (std::size_t c = 0; c < parameters[i].size(); ++c) {
            CHECK(std::abs(parameters[i][c]) == doctest::Approx(6 * parameters[i - 1][c]));
            above += parameters[i][c] > 0 ? 1 : 0;
        }
        CHECK(above > 0);
        CHECK(above < 8);
    }
    CHECK(norms == 2);
    const tenon::Parameters<Tiny> seeded = parameters_of<Tiny>();
    CHECK(std::ranges::equal(compared_parameters_of<Tiny>().values(), seeded.values()));
}

TEST_CASE("differences are parts of the tensor's largest value, and a NaN is one") {
    tenon::Parameters<Tiny> exact, found;
    exact.seed(1);
    found.seed(1);
    const auto error = [&] {
        return tensor_difference<Tiny>(
            1e-3, [](int i, const tenon::detail::Parameter&) { return i == 0; },
            [&](int i, std::size_t k) { return double{found[i][k]}; },
            [&](int i, std::size_t k) { return double{exact[i][k]}; }, [](int, std::size_t) { return 1e-6; });
    };
    CHECK(error() == 0);
    found[1][0] += 1;  // of a tensor that is not taken
    CHECK(error() == 0);
    double largest = 0;
    for (const float value : exact[0]) largest = std::max(largest, std::abs(double{value}));
    found[0][7] += 0.5f;
    CHECK(error() == doctest::Approx(0.5 / largest).epsilon(1e-4));
    found[0][7] = std::nanf("");
    CHECK(std::isnan(error()));
}

TEST_CASE("what a step makes is written for PyTorch") {
    const std::filesystem::path folder = std::filesystem::temp_directory_path() / "tenon_gpu_check_cells";
    std::filesystem::create_directories(folder);
    write_step(folder.string(), device_step<Tiny, EmulatedCuda<>>(3), Precision::float32, 3);
    CHECK(std::filesystem::file_size(folder / "labels.raw") == 3 * 4);
    CHECK(std::filesystem::file_size(folder / "step_images.raw") == 3 * 3 * 64 * 4);
    const tenon::Parameters<Tiny> began{(folder / "step_weights.safetensors").string()};
    CHECK(std::ranges::equal(began.values(), parameters_of<Tiny>().values()));
    CHECK(std::filesystem::file_size(folder / "step_logits.raw") == 3 * 4 * 4);
    const tenon::Parameters<Tiny> updated{(folder / "updated.safetensors").string()},
        gradients{(folder / "gradients.safetensors").string()}, before = parameters_of<Tiny>();
    const double change = double{before[0][0]} - double{updated[0][0]};  // rate 1, no velocity yet
    CHECK(change == doctest::Approx(gradients[0][0] + 1e-4 * before[0][0]).epsilon(1e-4));
    const auto settings = nlohmann::json::parse(std::ifstream{folder / "step.json"});
    for (const char* key : {"precision", "rate", "momentum", "weight_decay", "loss", "logits_bound", "bound"})
        CHECK(settings.contains(key));
    CHECK(settings["compared"].size() == 5);  // weight, gamma, beta; weight, bias
    std::filesystem::remove_all(folder);
}

TEST_CASE("a NaN among results is a difference, wherever it stands") {
    const std::vector<float> expected{1, 2, 3, 4};
    for (std::size_t i = 0; i < expected.size(); ++i) {
        std::vector<float> found = expected;
        found[i] += 1;
        CHECK(difference(found, expected) == 0.25);
        found[i] = std::nanf("");
        CHECK(std::isnan(difference(found, expected)));
    }
}

TEST_CASE("training is measured by steps that train") {
    const nlohmann::json cell = measure_training<Tiny, EmulatedCuda<>>("Tiny", Precision::float32, 6);
    CHECK(cell["kind"] == "training");
    CHECK(cell["batch"] == 6);
    CHECK(cell["rounds"].get<int>() >= 30);
    CHECK(cell["ms"].get<double>() > 0);
    CHECK(cell["fastest_ms"].get<double>() <= cell["ms"].get<double>());
    CHECK(cell["last_loss"].get<double>() < cell["first_loss"].get<double>());
}

TEST_CASE("inference is compared and measured") {
    const nlohmann::json compared = compare<Tiny, EmulatedCuda<>>("Tiny", Precision::float32, 5, cpu_answer<Tiny>(5));
    CHECK(compared["error"].get<double>() <= compared["bound"].get<double>());
    const nlohmann::json measured = measure<Tiny, EmulatedCuda<>>("Tiny", Precision::float32, 2);
    CHECK(measured["rounds"].get<int>() >= 30);
    CHECK(measured["ms"].get<double>() > 0);
}

TEST_CASE("a training step's work is what arithmetic gives") {
    const nlohmann::json work = describe_training<Tiny, Precision::bfloat16>("Tiny");
    CHECK(work["kind"] == "training work");
    long operations = 0, bytes = 0, weights = 0;
    for (const nlohmann::json& step : work["steps"]) {
        operations += step[0].get<long>();
        bytes += step[1].get<long>();
        weights += step[2].get<long>();
    }
    // Forward and weight gradient of both layers; the data gradient of the second.
    constexpr long conv = 16 * 3 * 9 * 8, linear = 8 * 4;
    CHECK(operations == 2 * (2 * conv + 3 * linear));
    // The image in floats, its copy with four channels and a border written; read by the convolution in forward and
    // backward.
    constexpr long image = 3 * 64, copy = 4 * 9 * 10, map = 8 * 16;
    constexpr long forward = copy + map      // convolution
                             + map           // statistics
                             + 2 * map       // norm
                             + 2 * map       // sigmoid
                             + map + 8       // average
                             + 8 + 4;        // linear
    constexpr long backward = 8 + 4          // linear's weights
                              + 4 + 8        // and source
                              + 8 + map      // average
                              + 3 * map      // sigmoid: result, gradient, target
                              + 3 * map      // norm: source, gradient, target
                              + copy + map;  // the convolution's weights
    CHECK(bytes == 4 * image + 2 * copy + 2 * (forward + backward));
    constexpr long parameters = 3 * 9 * 8 + 2 * 8 + 8 * 4 + 4;
    CHECK(weights == 2 * (3 * 9 * 8 + 2 * 32) + 4 * (3 * 9 * 8 + 32) + 20 * parameters);
}

}  // namespace
