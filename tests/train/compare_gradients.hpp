// One step of training on an engine beside the naive engine in double.
#pragma once

#include <algorithm>
#include <cmath>
#include <span>
#include <vector>

#include <doctest/doctest.h>

#include <tenon/core/random.hpp>
#include <tenon/engine/reference_training.hpp>

namespace tenon_test {

/// A batch for a network: images in [-1, 1], labels and soft targets.
template <class Net>
struct TrainingData {
    std::vector<float> images;
    std::vector<int> labels;
    std::vector<float> targets;

    explicit TrainingData(int batch) {
        using tenon::detail::random_bits, tenon::detail::uniform;
        const auto count = [&](long of_an_image) { return static_cast<std::size_t>(batch * of_an_image); };
        for (std::size_t i = 0; i < count(tenon::input_shape<Net>.elements()); ++i)
            images.push_back(static_cast<float>(uniform(random_bits(1, 1, i), -1, 1)));
        for (std::size_t i = 0; i < count(1); ++i)
            labels.push_back(
                static_cast<int>(random_bits(1, 2, i) % static_cast<std::uint64_t>(tenon::detail::classes_of<Net>)));
        for (std::size_t i = 0; i < count(tenon::detail::classes_of<Net>); ++i)
            targets.push_back(static_cast<float>(uniform(random_bits(1, 3, i), 0, 1)));
    }
};

/// Compares the loss, the gradients and the new running statistics of a step; `bound` is of each tensor's largest
/// element. With `soft` the targets are soft. `rounding` says which products round their operands.
template <class Net, class Engine>
void compare_step(Engine& engine, const TrainingData<Net>& data, double bound = 1e-4, bool soft = false,
                  tenon::reference::RoundedProducts<double> rounding = {}) {
    using namespace tenon;
    engine.parameters().seed(4);
    reference::TrainingEngine<Net, double> reference{static_cast<int>(data.labels.size())};
    reference.round_products(rounding);
    std::ranges::copy(engine.parameters().values(), reference.parameters().values().begin());
    const std::vector<double> images(data.images.begin(), data.images.end());
    const std::vector<double> targets(data.targets.begin(), data.targets.end());
    const StepOptions options{.label_smoothing = 0.1, .seed = 11};
    const LossResult expected = soft ? reference.forward_backward(images, std::span<const double>(targets), options)
                                     : reference.forward_backward(images, std::span<const int>(data.labels), options);
    for (int pass = 0; pass < 2; ++pass) {  // the second on memory that is not fresh
        engine.parameters().seed(4);
        const LossResult result =
            soft ? engine.forward_backward(data.images, std::span<const float>(data.targets), options)
                 : engine.forward_backward(data.images, std::span<const int>(data.labels), options);
        CHECK(result.loss == doctest::Approx(expected.loss).epsilon(bound / 10));
        CHECK(result.correct == expected.correct);
    }
    for (int i = 0; i < reference.parameters().count(); ++i) {
        const auto compare = [&](std::span<const float> values, std::span<const double> exact) {
            double scale = 1e-3, worst = 0;
            for (std::size_t k = 0; k < values.size(); ++k) {
                scale = std::max(scale, std::abs(exact[k]));
                const double off = std::abs(exact[k] - double{values[k]});
                worst = off > worst || std::isnan(off) ? off : worst;
            }
            CAPTURE(i);
            CAPTURE(to_string(lowered<Net>.layers[lowered<Net>.parameters[i].layer].path));
            CHECK(worst <= bound * scale);
        };
        compare(engine.gradients()[i], reference.gradients()[i]);
        compare(engine.parameters()[i], reference.parameters()[i]);
    }
}

/// Checks that of equal maxima the first one in the order of the scan gets the gradient, as in torch. `Net` is a
/// convolution of one pixel without a bias, maxima, and a linear layer: with weights of zero all results of the
/// convolution are equal, and the gradients of its weights are sums of the pixels that were chosen.
template <class Net, class Engine>
void check_first_maxima(Engine& engine, TrainingData<Net> data) {
    const auto pixels = static_cast<std::size_t>(tenon::input_shape<Net>.pixels());
    const auto largest_gradient = [&](float first, float others) {
        for (std::size_t i = 0; i < data.images.size(); ++i) data.images[i] = i % pixels == 0 ? first : others;
        engine.parameters().seed(4);
        for (float& weight : engine.parameters()[0]) weight = 0;
        engine.forward_backward(data.images, std::span<const int>(data.labels));
        float largest = 0;
        for (const float gradient : engine.gradients()[0]) largest = std::max(largest, std::abs(gradient));
        return largest;
    };
    std::ranges::fill(data.images, 0.5f);
    compare_step(engine, data);
    CHECK(largest_gradient(0, 1) == 0);
    CHECK(largest_gradient(1, 0) > 1e-3f);
}

}  // namespace tenon_test
