#pragma once
// IWYU pragma: private, include <tenon/report.hpp>

// Score-CAM: a channel counts by the logit of the image under it.

#include <algorithm>
#include <cmath>
#include <span>
#include <string>
#include <vector>

#include <tenon/engine/reference_place.hpp>
#include <tenon/explain/map_scale.hpp>
#include <tenon/explain/request.hpp>

namespace tenon::detail {
inline namespace TENON_ISA_NAMESPACE {

/// The logits of images by what the options give for that, or by the reference engine.
template <class Once = void>
std::vector<float> logits_of(reference::PlaceEngine<float>& engine, const GradientProgram& program,
                             const explanations::Forward& forward, std::span<const float> images) {
    const std::size_t size = index(program.values[0].elements()),
                      classes = index(program.values[index(program.output)].channels);
    std::vector<float> logits;
    if (forward) {
        const std::span<const float> found = forward(images);
        if (found.size() != images.size() / size * classes)
            throw Error("expected " + std::to_string(classes) + " logits for each of " +
                        std::to_string(images.size() / size) + " images, found " + std::to_string(found.size()));
        return {found.begin(), found.end()};
    }
    for (std::size_t first = 0; first < images.size(); first += size) {
        const std::vector<float> one = engine.value(images.subspan(first, size), program.output);
        logits.insert(logits.end(), one.begin(), one.end());
    }
    return logits;
}

/// An image under a channel of a place: the channel in the image's size, from 0 to 1, times each channel of the image.
/// 1e-8 keeps a channel that is the same everywhere finite, as in pytorch-grad-cam: it leaves nothing of the image.
template <class Once = void>
std::vector<float> image_under(std::span<const float> image, Shape shape, std::span<const float> channel, Shape place) {
    std::vector<float> mask = map_by_corners(channel, place.height, place.width, shape.height, shape.width);
    const auto [low, high] = std::ranges::minmax(mask);
    for (float& value : mask) value = (value - low) / (high - low + 1e-8f);
    std::vector<float> masked(image.begin(), image.end());
    for (std::size_t i = 0; i < masked.size(); ++i) masked[i] *= mask[i % mask.size()];
    return masked;
}

/// The weights of channels: the softmax over all channels of a class's logit.
template <class Once = void>
std::vector<double> channel_weights(std::span<const float> logits, std::size_t classes, int label) {
    std::vector<double> weights;
    for (std::size_t c = 0; c < logits.size() / classes; ++c)
        weights.push_back(static_cast<double>(logits[c * classes + index(label)]));
    const double largest = *std::ranges::max_element(weights);
    double sum = 0;
    for (double& weight : weights) sum += weight = std::exp(weight - largest);
    for (double& weight : weights) weight /= sum;
    return weights;
}

template <class Once = void>
std::vector<explanations::ClassMap> score_cam(const GradientProgram& program, std::span<const float> parameters,
                                              std::span<const float> image, const Place& place,
                                              const explanations::Options& options, int count) {
    constexpr std::size_t together = 16;  // images
    const Shape input = program.values[0], shape = program.values[index(place.value)];
    const std::size_t channels = index(shape.channels), pixels = index(shape.pixels());
    const std::size_t classes = index(program.values[index(program.output)].channels);
    reference::PlaceEngine<float> engine{program, parameters};
    const auto seen = engine.gradients(image, place.value, [](std::span<const float>) { return std::vector<int>{}; });
    std::vector<float> logits;
    for (std::size_t first = 0; first < channels; first += together) {
        std::vector<float> images;
        for (std::size_t c = first; c < std::min(first + together, channels); ++c) {
            const std::vector<float> one =
                image_under(image, input, std::span(seen.values).subspan(c * pixels, pixels), shape);
            images.insert(images.end(), one.begin(), one.end());
        }
        const std::vector<float> some = logits_of(engine, program, options.forward, images);
        logits.insert(logits.end(), some.begin(), some.end());
    }
    std::vector<explanations::ClassMap> maps;
    for (const int label : choose_labels(seen.logits, options, count)) {
        const std::vector<double> weights = channel_weights(logits, classes, label);
        explanations::ClassMap map{
            .place = place.name,
            .method = options.method,
            .label = label,
            .logit = static_cast<double>(seen.logits[index(label)]),
            .height = shape.height,
            .width = shape.width,
            .values = {},
            .cost = {seen.cost.forward_multiply_adds * (1 + shape.channels), 0, 0, seen.cost.bytes}};
        for (std::size_t i = 0; i < pixels; ++i) {
            double sum = 0;
            for (std::size_t c = 0; c < channels; ++c)
                sum += weights[c] * static_cast<double>(seen.values[c * pixels + i]);
            map.values.push_back(sum < 0 ? 0.0f : static_cast<float>(sum));
        }
        maps.push_back(std::move(map));
    }
    return maps;
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::detail
