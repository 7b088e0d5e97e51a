#pragma once
// IWYU pragma: private, include <tenon/report.hpp>

// Whether a map is right: what happens to the class when the pixels that it marks are taken out of the image, or are
// all that is put in (Petsiuk, Das, Saenko 2018, arXiv 1806.07421).

#include <algorithm>
#include <cmath>
#include <numeric>
#include <span>
#include <string>
#include <vector>

#include <tenon/explain/attributions.hpp>
#include <tenon/explain/score_cam.hpp>

namespace tenon {

namespace explanations {

/// How evidence is measured.
struct EvidenceOptions {
    int steps = 32;                 ///< parts of equal size in which pixels are replaced, most important ones first
    std::vector<float> baseline{};  ///< what they are replaced by; empty: zeros, the mean color after normalizing
    Forward forward{};              ///< runs the network; empty: the loops of the reference backend, which take long
};

/// The probability of a map's class while the image's pixels are replaced in the map's order, most important first.
struct Evidence {
    std::vector<double> deletion;   ///< `steps + 1` probabilities, from the complete image to the baseline
    std::vector<double> insertion;  ///< `steps + 1` probabilities, from the baseline to the complete image

    /// The area under a curve, which is from 0 to 1 wide: a good map has a small one for deletion and a large one for
    /// insertion.
    double deletion_area() const { return area(deletion); }
    double insertion_area() const { return area(insertion); }

private:
    static double area(std::span<const double> curve) {
        double sum = 0;
        for (std::size_t i = 1; i < curve.size(); ++i) sum += (curve[i - 1] + curve[i]) / 2;
        return sum / static_cast<double>(curve.size() - 1);
    }
};

}  // namespace explanations

namespace detail {
inline namespace TENON_ISA_NAMESPACE {

template <class Once = void>
double probability_of(std::span<const float> logits, int label) {
    const auto largest = static_cast<double>(std::ranges::max(logits));
    double sum = 0;
    for (const float logit : logits) sum += std::exp(static_cast<double>(logit) - largest);
    return std::exp(static_cast<double>(logits[index(label)]) - largest) / sum;
}

/// The pixels of an image from the largest value of a map to the smallest, of equals the first.
template <class Once = void>
std::vector<std::size_t> pixels_by_map(const explanations::ClassMap& map, Shape image) {
    std::vector<double> values;
    for (int y = 0; y < image.height; ++y)
        for (int x = 0; x < image.width; ++x)
            values.push_back(
                map_at(map.values, map.height, map.width, (y + 0.5) / image.height, (x + 0.5) / image.width));
    std::vector<std::size_t> order(values.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::ranges::stable_sort(order, [&](std::size_t a, std::size_t b) { return values[a] > values[b]; });
    return order;
}

template <class Once = void>
explanations::Evidence evidence(const GradientProgram& program, std::span<const float> parameters,
                                std::span<const float> image, const explanations::ClassMap& map,
                                const explanations::EvidenceOptions& options) {
    const Shape shape = program.values[0];
    check_image(program, image.size(), false);
    check_options(program, {.label = map.label}, 1);
    check_map(map);
    if (options.steps < 1)
        throw Error("expected 1 or more steps to replace an image's pixels in, found " + std::to_string(options.steps));
    const std::vector<float> baseline = checked_baseline(program, options.baseline);
    const std::vector<std::size_t> order = pixels_by_map(map, shape);
    const std::size_t steps = index(options.steps), classes = index(program.values[index(program.output)].channels);
    reference::PlaceEngine<float> engine{program, parameters};
    const auto curve = [&](std::span<const float> from, std::span<const float> to) {
        std::vector<float> now(from.begin(), from.end());
        std::vector<double> probabilities;
        for (std::size_t step = 0, done = 0; step <= steps; ++step) {
            for (; done < order.size() * step / steps; ++done)
                for (std::size_t i = order[done]; i < now.size(); i += order.size()) now[i] = to[i];
            const std::vector<float> logits = logits_of(engine, program, options.forward, now);
            probabilities.push_back(probability_of(std::span(logits).first(classes), map.label));
        }
        return probabilities;
    };
    return {.deletion = curve(image, baseline), .insertion = curve(baseline, image)};
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace detail

}  // namespace tenon
