// Replays the training steps of scripts/make_training_goldens.py on an engine and compares with what PyTorch had.
#pragma once

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include <tenon/io/safetensors.hpp>
#include <tenon/weights/parameter_names.hpp>
#include <tenon/weights/parameters.hpp>

namespace tenon_test {
using namespace tenon;

/// How a case was run, and how far an engine may be off: relative to a tensor's largest value, or at least to `least`.
struct GoldenCase {
    std::string name;
    int batch = 0;
    double smoothing = 0;
    bool soft = false;
    double first_tolerance = 0, last_tolerance = 0;
    double least = 0.1;
    int steps = 20;
};

inline constexpr std::uint64_t golden_seed = 3;

/// The largest difference to a golden tensor, relative as GoldenCase says.
template <class Scalar>
double difference(const SafetensorsFile& file, const std::string& name, std::span<const Scalar> values, double least) {
    const TensorEntry& entry = file.at(name);
    std::vector<double> expected(values.size());
    detail::read_elements<double>(entry, expected);
    double scale = least, worst = 0;
    for (std::size_t i = 0; i < values.size(); ++i) {
        scale = std::max(scale, std::abs(expected[i]));
        const double off = std::abs(expected[i] - static_cast<double>(values[i]));
        worst = off > worst || std::isnan(off) ? off : worst;
    }
    return worst / scale;
}

/// Draws the case's parameters into an engine.
template <class Net, class Engine>
void draw_parameters(Engine& engine) {
    using Scalar = typename Engine::Scalar;
    const std::vector<std::string> names = detail::parameter_names<Net>(Naming::canonical);
    for (int i = 0; i < static_cast<int>(names.size()); ++i) {
        const auto [low, high] = detail::seeded_range(engine.parameters().infos()[static_cast<std::size_t>(i)]);
        std::uint64_t element = 0;
        for (Scalar& value : engine.parameters()[i])
            value = static_cast<Scalar>(static_cast<float>(detail::uniform(
                detail::random_bits(golden_seed, detail::hash_name(names[static_cast<std::size_t>(i)]), element++), low,
                high)));
    }
}

/// What a step of a case reads.
template <class Scalar>
struct GoldenBatch {
    std::vector<Scalar> images;
    std::vector<int> labels;
    std::vector<Scalar> soft;
};

template <class Net, class Scalar>
GoldenBatch<Scalar> golden_batch(const GoldenCase& golden, int step) {
    const auto classes = static_cast<std::size_t>(output_shape<Net>.channels);
    GoldenBatch<Scalar> batch;
    batch.images.resize(static_cast<std::size_t>(golden.batch * input_shape<Net>.elements()));
    const std::uint64_t stream = detail::hash_name(golden.name + "/images" + std::to_string(step));
    for (std::size_t i = 0; i < batch.images.size(); ++i)
        batch.images[i] = static_cast<Scalar>(
            static_cast<float>(detail::uniform(detail::random_bits(golden_seed, stream, i), -1, 1)));
    const std::uint64_t target_stream = detail::hash_name(golden.name + "/targets" + std::to_string(step));
    batch.labels.resize(static_cast<std::size_t>(golden.batch));
    batch.soft.resize(batch.labels.size() * classes);
    for (std::size_t n = 0; n < batch.labels.size(); ++n) {
        const auto drawn = [&](std::size_t c) {
            return detail::uniform(detail::random_bits(golden_seed, target_stream, n * classes + c), 0, 1);
        };
        batch.labels[n] = static_cast<int>(detail::random_bits(golden_seed, target_stream, n) % classes);
        double sum = 0;
        for (std::size_t c = 0; c < classes; ++c) sum += drawn(c);
        for (std::size_t c = 0; c < classes; ++c) batch.soft[n * classes + c] = static_cast<Scalar>(drawn(c) / sum);
    }
    return batch;
}

/// Runs all steps and compares step 1 and step 20.
template <class Net, class Engine>
void replay(Engine& engine, const GoldenCase& golden) {
    using Scalar = typename Engine::Scalar;
    const SafetensorsFile file{std::string(TENON_SOURCE_DIR) + "/tests/train/golden_training.safetensors"};
    const std::vector<std::string> names = detail::parameter_names<Net>(Naming::canonical);
    draw_parameters<Net>(engine);
    const int tensors = static_cast<int>(names.size());
    std::vector<double> losses(20);
    detail::read_elements<double>(file.at(golden.name + "/losses"), losses);

    const auto compare = [&](const std::string& name, std::span<const Scalar> values, double tolerance) {
        const double off = difference<Scalar>(file, golden.name + "/" + name, values, golden.least);
        CAPTURE(name);
        CAPTURE(off);
        CHECK(off <= tolerance);
    };
    std::vector<Scalar> velocity(engine.parameters().values().size());
    for (int step = 0; step < golden.steps; ++step) {
        const auto [images, labels, soft] = golden_batch<Net, Scalar>(golden, step);
        const StepOptions options{golden.smoothing, static_cast<std::uint64_t>(step)};
        const LossResult result = golden.soft ? engine.forward_backward(images, std::span<const Scalar>(soft), options)
                                              : engine.forward_backward(images, std::span<const int>(labels), options);
        CAPTURE(step);
        CHECK(std::abs(result.loss - losses[static_cast<std::size_t>(step)]) <=
              (step == 0 ? golden.first_tolerance : golden.last_tolerance));
        const double tolerance = step == 0 ? golden.first_tolerance : golden.last_tolerance;
        if (step == 0) compare("logits", engine.logits(), tolerance);
        if (step == 19) compare("logits20", engine.logits(), tolerance);
        for (int i = 0; i < tensors; ++i) {
            const auto parameter = engine.parameters()[i];
            const auto gradient = engine.gradients()[i];
            const auto offset =
                static_cast<std::size_t>(engine.parameters().infos()[static_cast<std::size_t>(i)].offset);
            const std::string& name = names[static_cast<std::size_t>(i)];
            if (step == 0 && engine.is_trained(i)) compare("gradient/" + name, gradient, tolerance);
            if (engine.is_trained(i))
                for (std::size_t k = 0; k < parameter.size(); ++k) {
                    Scalar& v = velocity[offset + k];
                    v = static_cast<Scalar>(0.9) * v + gradient[k] + static_cast<Scalar>(1e-3) * parameter[k];
                    parameter[k] -= static_cast<Scalar>(0.05) * v;
                }
            if (step == 0) compare("step1/" + name, parameter, tolerance);
            if (step == 19) compare("step20/" + name, parameter, tolerance);
        }
    }
}

inline const GoldenCase stack_case{"stack", 4, 0.0, false};
inline const GoldenCase basic_case{"basic", 5, 0.1, false};
inline const GoldenCase mixed_case{"mixed", 6, 0.05, true};

/// A case with an engine's tolerances.
inline GoldenCase within(GoldenCase golden, double first, double last, int steps = 20) {
    golden.first_tolerance = first;
    golden.last_tolerance = last;
    golden.steps = steps;
    return golden;
}

}  // namespace tenon_test
