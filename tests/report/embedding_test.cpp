// Features in the plane: principal components, t-SNE, neighbors; their plot, and that of a search for a rate.
#include <algorithm>
#include <cmath>
#include <span>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include <tenon/core/random.hpp>
#include <tenon/explain/tsne.hpp>
#include <tenon/report/rate_plot.hpp>
#include <tenon/report/scatter_plot.hpp>

#include "../support.hpp"

namespace {
using namespace tenon;
using explanations::Point;
using tenon_test::contains;
using tenon_test::error_of;

double drawn(std::uint64_t stream, std::uint64_t i) {
    return detail::uniform(detail::random_bits(9, stream, i), -1.0, 1.0);
}

/// `groups` groups of images in ten dimensions, 12 apart, each image up to 1 from its group's center in each of them.
std::vector<float> grouped(std::size_t groups, std::size_t each) {
    std::vector<float> features;
    for (std::size_t i = 0; i < groups * each; ++i)
        for (std::size_t k = 0; k < 10; ++k)
            features.push_back(static_cast<float>((k == i % groups ? 8.5 : 0) + drawn(i, k)));
    return features;
}

std::size_t occurrences(const std::string& text, const std::string& part) {
    std::size_t count = 0;
    for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++count;
    return count;
}

TEST_CASE("embedding: principal components by hand") {
    // Along (3, 4) / 5 by -2, 0, 2 and across it, along (4, -3) / 5, by 1, -2, 1; a third feature is the same in all.
    std::vector<float> features;
    for (const auto& [along, across] : {std::pair{-2.0, 0.5}, {0.0, -1.0}, {2.0, 0.5}})
        for (const double value : {10 + 0.6 * along + 0.8 * across, 20 + 0.8 * along - 0.6 * across, 7.0})
            features.push_back(static_cast<float>(value));
    const std::vector<Point> points = explanations::principal_components(features, 3);
    REQUIRE(points.size() == 3);
    const double x[] = {-2, 0, 2}, y[] = {0.5, -1, 0.5};
    for (std::size_t i = 0; i < 3; ++i) {
        CHECK(std::abs(points[i].x - x[i]) <= 1e-5);
        CHECK(std::abs(points[i].y - y[i]) <= 1e-5);
    }
    // Of the two directions it is the one in which the first feature, the largest coefficient, is positive.
    const std::vector<Point> line = explanations::principal_components(std::vector<float>{3, -2, -2, -3, 2, 2}, 3);
    CHECK(line[0].x == doctest::Approx(std::sqrt(17)));
    CHECK(line[1].x == doctest::Approx(-std::sqrt(17)));
    // The same images, and features of one scalar: nothing is left for the second component, or for any.
    for (const Point& point : explanations::principal_components(std::vector<float>{1, 2, 4}, 1)) CHECK(point.y == 0);
    for (const Point& point : explanations::principal_components(std::vector<float>{1, 2, 1, 2}, 2))
        CHECK(point.x == 0);
    CHECK(
        contains(error_of([] { explanations::principal_components(std::vector<float>(5), 2); }), "of 2 scalars each"));
    CHECK(contains(error_of([] { explanations::principal_components(std::vector<float>{1, INFINITY}, 2); }), "NaN"));
}

TEST_CASE("embedding: neighbors have the perplexity that was asked for") {
    const std::vector<float> features = grouped(3, 8);
    const std::vector<double> distances = detail::squared_distances<>(features, 10, 24);
    std::vector<double> probabilities(24);
    for (const double perplexity : {2.0, 5.0, 7.5}) {
        detail::neighbor_probabilities(std::span(distances).first(24), 0, perplexity, probabilities);
        double sum = 0, entropy = 0;
        for (const double p : probabilities) {
            sum += p;
            entropy -= p > 0 ? p * std::log(p) : 0;
        }
        CHECK(probabilities[0] == 0);
        CHECK(sum == doctest::Approx(1));
        CHECK(std::abs(std::exp(entropy) - perplexity) <= 1e-5 * perplexity);
    }
}

TEST_CASE("embedding: t-SNE's gradient equals finite differences") {
    constexpr std::size_t count = 7;
    std::vector<double> pairs(count * count);
    double sum = 0;
    for (std::size_t i = 0; i < count; ++i)
        for (std::size_t j = 0; j < i; ++j) {
            pairs[i * count + j] = pairs[j * count + i] = 1.1 + drawn(i, j);
            sum += 2 * pairs[i * count + j];
        }
    for (double& p : pairs) p /= sum;
    std::vector<Point> points, gradient(count), ignored(count);
    for (std::size_t i = 0; i < count; ++i) points.push_back({drawn(20, i), drawn(21, i)});
    detail::tsne_gradient<>(pairs, points, 1, gradient);
    for (std::size_t i = 0; i < count; ++i)
        for (double Point::*const at : {&Point::x, &Point::y}) {
            constexpr double step = 1e-6;
            std::vector<Point> moved = points;
            moved[i].*at += step;
            const double above = detail::tsne_gradient<>(pairs, moved, 1, ignored);
            moved[i].*at -= 2 * step;
            const double below = detail::tsne_gradient<>(pairs, moved, 1, ignored);
            CHECK(std::abs((above - below) / (2 * step) - gradient[i].*at) <= 1e-7);
        }
}

TEST_CASE("embedding: t-SNE keeps groups together and apart, the same each time") {
    const std::vector<float> features = grouped(4, 20);
    const std::vector<Point> points = explanations::tsne(features, 10, {.perplexity = 10, .iterations = 400});
    REQUIRE(points.size() == 80);
    const auto distance = [&](std::size_t i, std::size_t j) {
        return std::hypot(points[i].x - points[j].x, points[i].y - points[j].y);
    };
    double widest = 0, closest = 1e300;
    for (std::size_t i = 0; i < 80; ++i)
        for (std::size_t j = 0; j < i; ++j)
            (i % 4 == j % 4 ? widest : closest) =
                i % 4 == j % 4 ? std::max(widest, distance(i, j)) : std::min(closest, distance(i, j));
    CHECK(widest < closest);
    CHECK(widest > 1e-2);
    const std::vector<Point> again = explanations::tsne(features, 10, {.perplexity = 10, .iterations = 400});
    CHECK(std::ranges::equal(points, again, [](const Point& a, const Point& b) { return a.x == b.x && a.y == b.y; }));
    CHECK(contains(error_of([&] { explanations::tsne(features, 10); }), "below a third of that, found 30"));
    CHECK(contains(error_of([&] { explanations::tsne(features, 10, {.perplexity = 5, .iterations = 0}); }), "found 0"));
    CHECK(contains(error_of([&] { explanations::tsne(features, 9, {.perplexity = 5}); }), "of 9 scalars each"));
}

TEST_CASE("embedding: the nearest images") {
    const std::vector<float> features{1, 0, 0, 2, 3, 3, -1, 0, 0, 0};
    const std::vector<explanations::Neighbor> found = explanations::nearest(features, 2, std::vector<float>{5, 0}, 3);
    REQUIRE(found.size() == 3);
    CHECK(found[0].image == 0);
    CHECK(found[0].similarity == 1);
    CHECK(found[1].image == 2);
    CHECK(found[1].similarity == doctest::Approx(std::sqrt(0.5)));
    CHECK(found[2].image == 1);  // as similar as the last one, which comes later
    CHECK(found[2].similarity == 0);
    const auto all = explanations::nearest(features, 2, std::vector<float>{5, 0}, 9);
    CHECK(all.size() == 5);
    CHECK(all.back().image == 3);
    CHECK(contains(error_of([&] { explanations::nearest(features, 2, std::vector<float>(3), 1); }),
                   "expected 2 features"));
}

TEST_CASE("embedding: a plot has a mark for each image and a legend") {
    const std::vector<Point> points{{0, 0}, {10, 5}, {5, 5}, {2, 1}};
    const std::vector<int> labels{0, 0, 0, 8};
    const std::vector<std::string> classes{"a", "b", "c", "d", "e", "f", "g", "h", "i < j"};
    const std::string svg = reports::scatter_svg(points, labels, classes, "Four images");
    // Marks of class 0 are circles: three, one in the legend, and that of class 5.
    CHECK(occurrences(svg, "<circle") == 5);
    // Class 8 has the color of class 0 and another shape, a triangle: one line, as that of class 4; a cross has two.
    CHECK(occurrences(svg, "<polyline") == 2 + 2 + 1 + 2 + 1 + 1);
    CHECK(contains(svg, "i &lt; j"));
    CHECK(contains(svg, "Four images"));
    // The image is as wide as its 10, so x = 0 is at the left and 10 at the right; y = 5 is in the upper half.
    CHECK(contains(svg, "cx=\"24\" cy=\"480\""));
    CHECK(contains(svg, "cx=\"584\" cy=\"200\""));
    CHECK(contains(error_of([&] {
                       reports::scatter_svg(points, std::vector{1, 2}, classes);
                   }),
                   "2 labels and 4 points"));
    CHECK(contains(error_of([&] {
                       reports::scatter_svg(points, std::vector{0, 0, 0, 9}, classes);
                   }),
                   "0 to 8, found 9"));
}

TEST_CASE("a search for a rate is plotted over the rate's logarithm") {
    const schedules::RateCurve curve{
        .rates = {1e-4, 1e-3, 1e-2, 1e-1}, .losses = {2, 1, 1.5, 90}, .smoothed = {2, 1.5, 1.5, 40}, .suggested = 3e-4};
    const std::string svg = reports::rate_curve_svg(curve, "Rates");
    for (const char* const text : {">0.0001<", ">0.001<", ">0.01<", ">0.1<", "suggested: 0.0003", "learning rate"}) {
        CAPTURE(text);
        CHECK(contains(svg, text));
    }
    CHECK(contains(svg, "70,"));  // the first point, at the left
    // What exploded doesn't stretch the plot, which ends at twice the first loss, and isn't drawn above it.
    CHECK(contains(svg, ">4<"));
    CHECK(!contains(svg, ">100<"));
    CHECK(!contains(svg, ",-"));
    CHECK(occurrences(svg, "<polyline") == 4 + 2 + 1 + occurrences(svg, "text-anchor=\"end\""));
    CHECK(contains(error_of([] { reports::rate_curve_svg({.rates = {1}, .losses = {1}, .smoothed = {1}}); }),
                   "found 1, 1"));
}

}  // namespace
