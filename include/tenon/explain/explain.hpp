#pragma once
// IWYU pragma: private, include <tenon/report.hpp>

// Looks inside a network: which pixels speak for a class, and what a layer makes of an image.
//
//     const auto map = explanations::explain(parameters, image, {.place = "stack3.block2"});

#include <span>
#include <string>
#include <vector>

#include <tenon/core/index.hpp>
#include <tenon/engine/reference_place.hpp>
#include <tenon/explain/attributions.hpp>
#include <tenon/explain/evidence.hpp>
#include <tenon/explain/score_cam.hpp>
#include <tenon/weights/parameters.hpp>

namespace tenon {

namespace detail {
inline namespace TENON_ISA_NAMESPACE {

inline std::vector<explanations::ClassMap> explain(const GradientProgram& program, std::span<const float> parameters,
                                                   std::span<const float> image, const explanations::Options& options,
                                                   int count) {
    std::vector<explanations::ClassMap> maps;
    if (explanations::is_of_pixels(options.method)) {
        for (const auto& attribution : attribute(program, parameters, image, options, count))
            maps.push_back(map_of(attribution));
        return maps;
    }
    const Place place = find_place(program, options.place);
    const Shape shape = program.values[index(place.value)];
    check_image(program, image.size(), false);
    check_options(program, options, count);
    if (shape.pixels() == 1)
        throw Error("the result of '" + place.name + "' is " + to_string(shape) +
                    ", one pixel, so there is no map of it; choose a place before the last pooling");
    if (options.method == explanations::Method::score_cam)
        return score_cam(program, parameters, image, place, options, count);
    reference::PlaceEngine<float> engine{program, parameters};
    const auto found = engine.gradients(
        image, place.value, [&](std::span<const float> logits) { return choose_labels(logits, options, count); });
    maps.reserve(found.gradients.size());
    for (const auto& [label, gradient] : found.gradients)
        maps.push_back({.place = place.name,
                        .method = options.method,
                        .label = label,
                        .logit = double{found.logits[index(label)]},
                        .height = shape.height,
                        .width = shape.width,
                        .values = class_map<float>(options.method, shape, found.values, gradient),
                        .cost = {found.cost.forward_multiply_adds, found.cost.backward_multiply_adds,
                                 found.cost.backward_steps, found.cost.bytes}});
    return maps;
}

inline std::vector<float> features(const GradientProgram& program, std::span<const float> parameters,
                                   std::span<const float> images, const std::string& name) {
    const int place = value_at(places_of(program.forward, program.layers), name);
    check_image(program, images.size(), true);
    reference::PlaceEngine<float> engine{program, parameters};
    const std::size_t size = index(program.values[0].elements());
    std::vector<float> all;
    for (std::size_t first = 0; first < images.size(); first += size) {
        const std::vector<float> one = engine.value(images.subspan(first, size), place);
        all.insert(all.end(), one.begin(), one.end());
    }
    return all;
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace detail

namespace explanations {
inline namespace TENON_ISA_NAMESPACE {

/// The names of all places of a network, in the order in which their results are computed: layers and, after its last
/// layer, each scope around them. Dropouts, flattenings and a softmax at the end do nothing here and are none.
template <class Net>
std::vector<std::string> places() {
    const detail::GradientProgram program = detail::gradient_program_of(lowered<Net>);
    std::vector<std::string> names;
    for (const detail::Place& place : detail::places_of(program.forward, program.layers)) names.push_back(place.name);
    return names;
}

/// The maps of the `count` most likely classes of an image (channel, row, column), the most likely one first, or of the
/// class that the options name: one pass forward, and for each class one back, from its logit to the place; Score-CAM
/// and integrated gradients take more. The network is evaluated: norms by their running statistics, no dropout. On one
/// thread, in the order of the reference backend. Throws tenon::Error for a place that the network doesn't have (the
/// message lists all), one with a single pixel, a class that it doesn't have, and an image of another size.
template <class Net>
std::vector<ClassMap> explain_top(const Parameters<Net>& parameters, std::span<const float> image, int count,
                                  const Options& options = {}) {
    return detail::explain(detail::gradient_program_of(lowered<Net>), parameters.values(), image, options, count);
}

/// The map of one class of an image: the one that the options name, or the most likely one. Throws as explain_top.
template <class Net>
ClassMap explain(const Parameters<Net>& parameters, std::span<const float> image, const Options& options = {}) {
    return explain_top(parameters, image, 1, options).front();
}

/// What each sample of an image contributes to the logit of a class, the one that the options name or the most likely
/// one, by integrated gradients or guided backpropagation; `explain` makes a map of it. Throws as explain_top, and for
/// another method.
template <class Net>
Attribution attribute(const Parameters<Net>& parameters, std::span<const float> image, const Options& options) {
    return detail::attribute(detail::gradient_program_of(lowered<Net>), parameters.values(), image, options, 1).front();
}

/// How the probability of a map's class falls while the pixels that the map marks are taken out of the image, and rises
/// while they are put into the baseline. Throws tenon::Error for an image, a baseline or a map that doesn't fit.
template <class Net>
Evidence evidence(const Parameters<Net>& parameters, std::span<const float> image, const ClassMap& map,
                  const EvidenceOptions& options = {}) {
    return detail::evidence(detail::gradient_program_of(lowered<Net>), parameters.values(), image, map, options);
}

/// What a place makes of one or more images, one after another (channel, row, column): features, embeddings. Nothing
/// after the place is computed. Throws tenon::Error for a place that the network doesn't have (the message lists all)
/// and for images of another size.
template <class Net>
std::vector<float> features(const Parameters<Net>& parameters, std::span<const float> images,
                            const std::string& place) {
    return detail::features(detail::gradient_program_of(lowered<Net>), parameters.values(), images, place);
}

/// A line: `grad-cam at stack2, 7 x 7 pixels: 30.6 M multiply-adds forward, 0.0 M back in 4 steps, 512 KiB of values
/// and gradients`.
inline std::string to_string(const ClassMap& map) {
    const auto millions = [](long count) {
        const long tenths = (count + 50'000) / 100'000;
        return std::to_string(tenths / 10) + "." + std::to_string(tenths % 10) + " M";
    };
    return std::string(explanations::method_name(map.method)) + " at " + map.place + ", " + std::to_string(map.height) +
           " x " + std::to_string(map.width) + " pixels: " + millions(map.cost.forward_multiply_adds) +
           " multiply-adds forward, " + millions(map.cost.backward_multiply_adds) + " back in " +
           std::to_string(map.cost.backward_steps) + " steps, " + std::to_string((map.cost.bytes + 1023) / 1024) +
           " KiB of values and gradients";
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace explanations

}  // namespace tenon
