#pragma once
// IWYU pragma: private, include <tenon/report.hpp>

// Looks inside a network: which pixels speak for a class, and what a layer makes of an image.
//
//     const auto map = explanations::explain(parameters, image, {.place = "stack3.block2"});

#include <algorithm>
#include <numeric>
#include <span>
#include <string>
#include <vector>

#include <tenon/core/index.hpp>
#include <tenon/engine/reference_place.hpp>
#include <tenon/explain/class_maps.hpp>
#include <tenon/program/places.hpp>
#include <tenon/weights/parameters.hpp>

namespace tenon {

/// Explanations and features at named places: see docs/how_to/explain.md.
namespace explanations {

/// What is explained, and how.
struct Options {
    std::string place = {};  ///< a layer or a scope (places()); empty: the last one whose result has several pixels
    Method method = Method::grad_cam;
    int label = -1;   ///< the class; -1: the most likely one
    int classes = 0;  ///< how many of the logits are candidates for that; 0: all
};

/// Work and memory of an explanation.
struct Cost {
    long forward_multiply_adds = 0;   ///< of convolutions and linear layers
    long backward_multiply_adds = 0;  ///< of one pass back, on the path from the logits to the place
    int backward_steps = 0;           ///< operations on that path
    std::size_t bytes = 0;            ///< the most that values and gradients held at once; parameters are not counted
};

/// A map over the pixels of a place: the larger a value, the more the pixel speaks for the class.
struct ClassMap {
    std::string place;
    Method method{};
    int label = 0;
    double logit = 0;           ///< of the class
    int height = 0, width = 0;  ///< of the place's result
    std::vector<float> values;  ///< row by row, none below 0
    Cost cost;
};

}  // namespace explanations

namespace detail {
inline namespace TENON_ISA_NAMESPACE {

/// The name and the value of a place; of the last one with several pixels if the name is empty. Throws tenon::Error
/// when there is none.
inline Place find_place(const GradientProgram& program, const std::string& name) {
    const std::vector<Place> places = places_of(program.forward, program.layers);
    if (!name.empty()) return {name, value_at(places, name)};
    for (std::size_t i = places.size(); i-- > 0;)
        if (program.values[index(places[i].value)].pixels() > 1) return places[i];
    throw Error("the network has no place with more than one pixel, so there is no map to explain it by");
}

inline void check_image(const GradientProgram& program, std::size_t scalars, bool several) {
    const std::size_t expected = index(program.values[0].elements());
    if (scalars == expected || (several && scalars > 0 && scalars % expected == 0)) return;
    throw Error("one image of this network is " + to_string(program.values[0]) + ", " + std::to_string(expected) +
                " scalars; expected " + (several ? "a positive multiple of that" : "one image") + ", not " +
                std::to_string(scalars));
}

/// The classes to explain: the given one, or the `count` most likely ones, of equals the first.
inline std::vector<int> choose_labels(std::span<const float> logits, const explanations::Options& options, int count) {
    if (options.label >= 0) return {options.label};
    std::vector<int> order(options.classes > 0 ? index(options.classes) : logits.size());
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(), [&](int a, int b) { return logits[index(a)] > logits[index(b)]; });
    if (order.size() > index(count)) order.resize(index(count));
    return order;
}

inline void check_options(const GradientProgram& program, const explanations::Options& options, int count) {
    const Shape output = program.values[index(program.output)];
    if (output.pixels() != 1)
        throw Error("expected a network whose result is a vector of logits to explain, found one with a result " +
                    to_string(output));
    if (options.label < -1 || options.label >= output.channels)
        throw Error("expected one of the network's classes 0 to " + std::to_string(output.channels - 1) +
                    " to explain, or -1 for the most likely one, found " + std::to_string(options.label));
    if (options.classes < 0 || options.classes > output.channels)
        throw Error("expected at most the network's " + std::to_string(output.channels) +
                    " classes as candidates, found " + std::to_string(options.classes));
    if (count < 1) throw Error("expected 1 or more classes to explain, found " + std::to_string(count));
}

inline std::vector<explanations::ClassMap> explain(const GradientProgram& program, std::span<const float> parameters,
                                                   std::span<const float> image, const explanations::Options& options,
                                                   int count) {
    const Place place = find_place(program, options.place);
    const Shape shape = program.values[index(place.value)];
    check_image(program, image.size(), false);
    check_options(program, options, count);
    if (shape.pixels() == 1)
        throw Error("the result of '" + place.name + "' is " + to_string(shape) +
                    ", one pixel, so there is no map of it; choose a place before the last pooling");
    reference::PlaceEngine<float> engine{program, parameters};
    const auto found = engine.gradients(
        image, place.value, [&](std::span<const float> logits) { return choose_labels(logits, options, count); });
    std::vector<explanations::ClassMap> maps;
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
/// class that the options name: one pass forward, and for each class one back, from its logit to the place. The network
/// is evaluated: norms by their running statistics, no dropout. On one thread, in the order of the reference backend.
/// Throws tenon::Error for a place that the network doesn't have (the message lists all), one with a single pixel, a
/// class that it doesn't have, and an image of another size.
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
