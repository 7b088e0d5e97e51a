#pragma once
// IWYU pragma: private, include <tenon/report.hpp>

// Explanations by the pixels of the image itself: integrated gradients and guided backpropagation.

#include <algorithm>
#include <cmath>
#include <span>
#include <string>
#include <vector>

#include <tenon/engine/reference_place.hpp>
#include <tenon/explain/request.hpp>

namespace tenon {

namespace explanations {

/// What each sample of an image contributes to the logit of a class.
///
/// Law: integrated gradients are complete: their sum is `logit - baseline_logit`, but for `gap()`, which falls as the
/// number of steps rises (test: tests/report/explain_test.cpp).
struct Attribution {
    Method method{};
    int label = 0;
    double logit = 0;             ///< of the class
    double baseline_logit = 0;    ///< of the class for the baseline; NaN for guided backpropagation, which has none
    Shape shape{};                ///< of the image
    std::vector<float> values{};  ///< channel, row, column; with a sign
    Cost cost{};

    /// How much the sum of all values exceeds the difference of the two logits.
    double gap() const {
        double sum = 0;
        for (const float value : values) sum += static_cast<double>(value);
        return sum - (logit - baseline_logit);
    }
};

}  // namespace explanations

namespace detail {
inline namespace TENON_ISA_NAMESPACE {

template <class Once = void>
std::vector<float> checked_baseline(const GradientProgram& program, std::span<const float> baseline) {
    const std::size_t expected = index(program.values[0].elements());
    if (!baseline.empty() && baseline.size() != expected)
        throw Error("expected a baseline as large as an image, " + std::to_string(expected) +
                    " scalars, or none, found " + std::to_string(baseline.size()));
    std::vector<float> result(baseline.begin(), baseline.end());
    result.resize(expected);
    return result;
}

/// The mean of the gradients at `steps` images on the straight way from the baseline to the image, each in the middle
/// of its part of the way, times the way: 2 steps are at a quarter and at three quarters.
template <class Once = void>
std::vector<explanations::Attribution> integrated_gradients(const GradientProgram& program,
                                                            std::span<const float> parameters,
                                                            std::span<const float> image,
                                                            const explanations::Options& options, int count) {
    if (options.steps < 1)
        throw Error("expected 1 or more steps from the baseline to the image, found " + std::to_string(options.steps));
    const std::vector<float> baseline = checked_baseline(program, options.baseline);
    reference::PlaceEngine<float> engine{program, parameters};
    const std::vector<float> logits = engine.value(image, program.output),
                             of_baseline = engine.value(baseline, program.output);
    std::vector<int> labels = choose_labels(logits, options, count);
    std::vector<std::vector<double>> sums(labels.size(), std::vector<double>(image.size()));
    reference::PlaceCost cost;
    for (int step = 0; step < options.steps; ++step) {
        const double share = (step + 0.5) / options.steps;
        std::vector<float> between(image.size());
        for (std::size_t i = 0; i < image.size(); ++i)
            between[i] = static_cast<float>(static_cast<double>(baseline[i]) +
                                            share * (static_cast<double>(image[i]) - static_cast<double>(baseline[i])));
        const auto found = engine.gradients(between, 0, [&](std::span<const float>) { return labels; });
        for (std::size_t l = 0; l < labels.size(); ++l)
            for (std::size_t i = 0; i < image.size(); ++i)
                sums[l][i] += static_cast<double>(found.gradients[l].gradient[i]);
        cost = found.cost;
    }
    std::vector<explanations::Attribution> all;
    for (std::size_t l = 0; l < labels.size(); ++l) {
        explanations::Attribution one{
            .method = options.method,
            .label = labels[l],
            .logit = static_cast<double>(logits[index(labels[l])]),
            .baseline_logit = static_cast<double>(of_baseline[index(labels[l])]),
            .shape = program.values[0],
            .values = {},
            .cost = {cost.forward_multiply_adds * (options.steps + 2), cost.backward_multiply_adds * options.steps,
                     cost.backward_steps, cost.bytes}};
        for (std::size_t i = 0; i < image.size(); ++i)
            one.values.push_back(static_cast<float>((static_cast<double>(image[i]) - static_cast<double>(baseline[i])) *
                                                    sums[l][i] / options.steps));
        all.push_back(std::move(one));
    }
    return all;
}

template <class Once = void>
std::vector<explanations::Attribution> guided_backpropagation(const GradientProgram& program,
                                                              std::span<const float> parameters,
                                                              std::span<const float> image,
                                                              const explanations::Options& options, int count) {
    reference::PlaceEngine<float> engine{program, parameters};
    engine.set_guided();
    const auto found = engine.gradients(
        image, 0, [&](std::span<const float> logits) { return choose_labels(logits, options, count); });
    std::vector<explanations::Attribution> all;
    all.reserve(found.gradients.size());
    for (const auto& [label, gradient] : found.gradients)
        all.push_back({.method = options.method,
                       .label = label,
                       .logit = static_cast<double>(found.logits[index(label)]),
                       .baseline_logit = std::nan(""),
                       .shape = program.values[0],
                       .values = gradient,
                       .cost = {found.cost.forward_multiply_adds, found.cost.backward_multiply_adds,
                                found.cost.backward_steps, found.cost.bytes}});
    return all;
}

template <class Once = void>
std::vector<explanations::Attribution> attribute(const GradientProgram& program, std::span<const float> parameters,
                                                 std::span<const float> image, const explanations::Options& options,
                                                 int count) {
    check_image(program, image.size(), false);
    check_options(program, options, count);
    if (!explanations::is_of_pixels(options.method))
        throw Error(
            "expected a method that explains by the image's pixels, integrated-gradients or "
            "guided-backpropagation, found " +
            std::string(explanations::method_name(options.method)));
    if (!options.place.empty())
        throw Error(std::string(explanations::method_name(options.method)) +
                    " explains by the image's pixels, so it takes no place, found '" + options.place + "'");
    return options.method == explanations::Method::integrated_gradients
               ? integrated_gradients(program, parameters, image, options, count)
               : guided_backpropagation(program, parameters, image, options, count);
}

/// A map of a pixel's contributions: the sum over its channels, at least 0; of a gradient, which says how much the
/// sample counts and not what for, the sum of magnitudes.
template <class Once = void>
explanations::ClassMap map_of(const explanations::Attribution& attribution) {
    const Shape shape = attribution.shape;
    const std::size_t pixels = index(shape.pixels());
    explanations::ClassMap map{.place = "input",
                               .method = attribution.method,
                               .label = attribution.label,
                               .logit = attribution.logit,
                               .height = shape.height,
                               .width = shape.width,
                               .values = std::vector<float>(pixels),
                               .cost = attribution.cost};
    const bool is_gradient = attribution.method == explanations::Method::guided_backpropagation;
    for (std::size_t i = 0; i < attribution.values.size(); ++i)
        map.values[i % pixels] += is_gradient ? std::abs(attribution.values[i]) : attribution.values[i];
    for (float& value : map.values) value = value < 0 ? 0.0f : value;
    return map;
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace detail

}  // namespace tenon
