#pragma once
// IWYU pragma: private, include <tenon/report.hpp>

// What is asked of an explanation, and what it answers.

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <functional>
#include <numeric>
#include <span>
#include <string>
#include <vector>

#include <tenon/explain/class_maps.hpp>
#include <tenon/program/places.hpp>
#include <tenon/program/training/gradient_program.hpp>

namespace tenon {

/// Explanations and features at named places: see docs/how_to/explain.md.
namespace explanations {

/// The logits of some images, one after another, as a Model has them for a network that doesn't end in a softmax:
/// `[&](std::span<const float> images) { return model(images); }`.
using Forward = std::function<std::span<const float>(std::span<const float>)>;

/// What is explained, and how.
struct Options {
    std::string place = {};  ///< a layer or a scope (places()); empty: the last one with several pixels
    Method method = Method::grad_cam;
    int label = -1;   ///< the class; -1: the most likely one
    int classes = 0;  ///< how many of the logits are candidates for that; 0: all

    int steps = 50;                 ///< of integrated gradients, on the way from the baseline to the image
    std::vector<float> baseline{};  ///< an image that shows nothing, for integrated gradients; empty: zeros
    Forward forward{};              ///< for Score-CAM; empty: the loops of the reference backend, which take long
};

/// Work and memory of an explanation.
struct Cost {
    long forward_multiply_adds = 0;   ///< of convolutions and linear layers
    long backward_multiply_adds = 0;  ///< of the passes back for one class, on the path from the logits to the place
    int backward_steps = 0;           ///< operations on that path
    std::size_t bytes = 0;            ///< the most that values and gradients held at once; parameters are not counted
};

/// A map over the pixels of a place: the larger a value, the more the pixel speaks for the class.
struct ClassMap {
    std::string place{};
    Method method{};
    int label = 0;
    double logit = 0;             ///< of the class
    int height = 0, width = 0;    ///< of the place's result
    std::vector<float> values{};  ///< row by row, none below 0
    Cost cost{};
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

/// Throws tenon::Error for a map without pixels, and for one that is infinite or NaN somewhere.
inline void check_map(const explanations::ClassMap& map) {
    if (map.height < 1 || map.width < 1 ||
        map.values.size() != static_cast<std::size_t>(map.height) * static_cast<std::size_t>(map.width))
        throw Error("expected a map of " + std::to_string(map.height) + " x " + std::to_string(map.width) +
                    " pixels, found " + std::to_string(map.values.size()) + " values");
    if (!std::ranges::all_of(map.values, [](float value) { return std::isfinite(value); }))
        throw Error("the map at " + map.place + " is infinite or NaN somewhere; look for the layer where that begins");
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace detail

}  // namespace tenon
