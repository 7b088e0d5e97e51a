#pragma once
// IWYU pragma: private, include <tenon/report.hpp>

// t-SNE: features of many images in the plane, so that images that are near each other stay so.

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <span>
#include <string>
#include <vector>

#include <tenon/core/number_text.hpp>
#include <tenon/explain/embedding.hpp>

namespace tenon {

namespace explanations {

/// Options of tsne; the defaults are those of scikit-learn.
struct TsneOptions {
    double perplexity = 30;    ///< about how many neighbors an image has, below a third of the images
    int iterations = 1000;     ///< 250 of them with attraction twelve times as strong
    double learning_rate = 0;  ///< 0: the images / 48, at least 50
};

}  // namespace explanations

namespace detail {
inline namespace TENON_ISA_NAMESPACE {

/// Squared distances between all pairs of images, row by row.
template <class Once = void>
std::vector<double> squared_distances(std::span<const float> features, std::size_t size, std::size_t count) {
    std::vector<double> distances(count * count);
    for (std::size_t i = 0; i < count; ++i)
        for (std::size_t j = 0; j < i; ++j) {
            double sum = 0;
            for (std::size_t k = 0; k < size; ++k) {
                const double difference = static_cast<double>(features[i * size + k] - features[j * size + k]);
                sum += difference * difference;
            }
            distances[i * count + j] = distances[j * count + i] = sum;
        }
    return distances;
}

/// The probabilities that image i picks each other one as its neighbor: a normal distribution over the distances, as
/// wide as its perplexity asks for. Returns the perplexity that was reached.
template <class Once = void>
double neighbor_probabilities(std::span<const double> distances, std::size_t i, double perplexity,
                              std::span<double> probabilities) {
    const double nearest = [&] {
        double least = std::numeric_limits<double>::infinity();
        for (std::size_t j = 0; j < distances.size(); ++j)
            if (j != i) least = std::min(least, distances[j]);
        return least;
    }();
    double beta = 1, low = 0, high = std::numeric_limits<double>::infinity(), reached = 0;
    for (int step = 0; step < 200; ++step) {
        double sum = 0, weighted = 0;
        for (std::size_t j = 0; j < distances.size(); ++j) {
            probabilities[j] = j == i ? 0 : std::exp(-beta * (distances[j] - nearest));
            sum += probabilities[j];
            weighted += probabilities[j] * (distances[j] - nearest);
        }
        for (double& probability : probabilities) probability /= sum;
        reached = std::exp(std::log(sum) + beta * weighted / sum);
        if (std::abs(reached - perplexity) <= 1e-7 * perplexity) break;
        (reached > perplexity ? low : high) = beta;
        beta = std::isinf(high) ? 2 * beta : (low + high) / 2;
    }
    return reached;
}

/// The gradient of t-SNE's divergence between the pairs' probabilities and those of their points, by the points'
/// coordinates; the attraction is `exaggeration` times as strong. Returns the divergence without exaggeration.
template <class Once = void>
double tsne_gradient(std::span<const double> pairs, std::span<const explanations::Point> points, double exaggeration,
                     std::span<explanations::Point> gradient) {
    const std::size_t count = points.size();
    const auto closeness = [&](std::size_t i, std::size_t j) {
        const double x = points[i].x - points[j].x, y = points[i].y - points[j].y;
        return 1 / (1 + x * x + y * y);
    };
    double sum = 0;
    for (std::size_t i = 0; i < count; ++i)
        for (std::size_t j = 0; j < i; ++j) sum += 2 * closeness(i, j);
    double divergence = 0;
    std::ranges::fill(gradient, explanations::Point{});
    for (std::size_t i = 0; i < count; ++i)
        for (std::size_t j = 0; j < i; ++j) {
            const double p = pairs[i * count + j], near = closeness(i, j), q = near / sum;
            const double force = 4 * (exaggeration * p - q) * near;
            const double x = force * (points[i].x - points[j].x), y = force * (points[i].y - points[j].y);
            gradient[i].x += x;
            gradient[i].y += y;
            gradient[j].x -= x;
            gradient[j].y -= y;
            if (p > 0) divergence += 2 * p * std::log(p / std::max(q, 1e-300));
        }
    return divergence;
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace detail

namespace explanations {
inline namespace TENON_ISA_NAMESPACE {

/// Features in the plane, so that images that are near each other stay so: t-SNE (van der Maaten and Hinton 2008),
/// exactly, over all pairs. It begins with the principal components and is a function of its arguments. It takes time
/// and memory of the square of the images: 2,000 images some 20 s and 70 MB. Distances between groups say
/// little. Throws tenon::Error as principal_components, for more than 20,000 images, and for options out of range.
template <class Once = void>
std::vector<Point> tsne(std::span<const float> features, std::size_t size, const TsneOptions& options = {}) {
    const std::size_t count = detail::check_features(features, size);
    const auto images = static_cast<double>(count);
    if (count > 20'000) throw Error("exact t-SNE takes at most 20000 images, found " + std::to_string(count));
    if (!(options.perplexity >= 1 && options.perplexity < images / 3))
        throw Error("t-SNE of " + std::to_string(count) +
                    " images needs a perplexity of 1 to below a third of that, "
                    "found " +
                    detail::fixed_text(options.perplexity));
    if (options.iterations < 1 || !(options.learning_rate >= 0))
        throw Error("t-SNE needs 1 or more iterations and a learning rate of 0 or more, found " +
                    std::to_string(options.iterations) + " and " + detail::fixed_text(options.learning_rate));
    std::vector<double> pairs(count * count);
    {
        const std::vector<double> distances = detail::squared_distances(features, size, count);
        std::vector<double> one(count);
        for (std::size_t i = 0; i < count; ++i) {
            detail::neighbor_probabilities(std::span(distances).subspan(i * count, count), i, options.perplexity, one);
            for (std::size_t j = 0; j < count; ++j) {
                pairs[i * count + j] += one[j] / (2 * images);
                pairs[j * count + i] += one[j] / (2 * images);
            }
        }
    }
    std::vector<Point> points = principal_components(features, size), step(count), gain(count, {1, 1}), gradient(count);
    double squares = 0;
    for (const Point& point : points) squares += point.x * point.x;
    const double scale = squares > 0 ? 1e-4 / std::sqrt(squares / images) : 0;
    for (Point& point : points) point = {point.x * scale, point.y * scale};
    const double rate = options.learning_rate > 0 ? options.learning_rate : std::max(images / 48, 50.0);
    for (int iteration = 0; iteration < options.iterations; ++iteration) {
        const bool is_early = iteration < 250;
        detail::tsne_gradient(pairs, points, is_early ? 12 : 1, gradient);
        const double momentum = is_early ? 0.5 : 0.8;
        // Gains per coordinate as in the authors' code.
        const auto move = [&](double& at, double& last, double& factor, double slope) {
            factor = std::max((slope > 0) != (last > 0) ? factor + 0.2 : factor * 0.8, 0.01);
            last = momentum * last - rate * factor * slope;
            at += last;
        };
        for (std::size_t i = 0; i < count; ++i) {
            move(points[i].x, step[i].x, gain[i].x, gradient[i].x);
            move(points[i].y, step[i].y, gain[i].y, gradient[i].y);
        }
    }
    return points;
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace explanations

}  // namespace tenon
