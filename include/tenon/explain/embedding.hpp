#pragma once
// IWYU pragma: private, include <tenon/report.hpp>

// Features of many images in the plane, by their principal components; and which images are near one.

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numeric>
#include <span>
#include <string>
#include <vector>

#include <tenon/core/error.hpp>
#include <tenon/core/isa.hpp>

namespace tenon {

namespace explanations {

/// An image in the plane.
struct Point {
    double x = 0, y = 0;
};

/// An image that is near another.
struct Neighbor {
    std::size_t image = 0;
    double similarity = 0;  ///< cosine of the angle between the features, -1 to 1
};

}  // namespace explanations

namespace detail {
inline namespace TENON_ISA_NAMESPACE {

/// The number of images that features belong to. Throws tenon::Error for none, and for a feature that is infinite or
/// NaN.
template <class Once = void>
std::size_t check_features(std::span<const float> features, std::size_t size) {
    if (size == 0 || features.empty() || features.size() % size != 0)
        throw Error("expected features of one or more images, of " + std::to_string(size) + " scalars each, found " +
                    std::to_string(features.size()));
    if (!std::ranges::all_of(features, [](float value) { return std::isfinite(value); }))
        throw Error("a feature is infinite or NaN");
    return features.size() / size;
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace detail

namespace explanations {
inline namespace TENON_ISA_NAMESPACE {

/// The first two principal components of features, `size` scalars for each image: the plane in which they differ most.
/// Found by power iteration; of a component and its opposite the one whose largest coefficient is positive. Throws
/// tenon::Error for features that are infinite or NaN, or not a whole number of images.
template <class Once = void>
std::vector<Point> principal_components(std::span<const float> features, std::size_t size) {
    const std::size_t count = detail::check_features(features, size);
    std::vector<double> mean(size), centered(features.size());
    for (std::size_t i = 0; i < features.size(); ++i) mean[i % size] += static_cast<double>(features[i]);
    for (std::size_t i = 0; i < features.size(); ++i)
        centered[i] = static_cast<double>(features[i]) - mean[i % size] / static_cast<double>(count);
    const auto projected = [&](const std::vector<double>& axis) {
        std::vector<double> result(count);
        for (std::size_t i = 0; i < centered.size(); ++i) result[i / size] += centered[i] * axis[i % size];
        return result;
    };
    std::vector<std::vector<double>> axes;
    for (int component = 0; component < 2; ++component) {
        std::vector<double> axis(size);
        for (std::size_t k = 0; k < size; ++k) axis[k] = 1 + 0.5 * std::sin(static_cast<double>(k + 1));
        for (int step = 0; step < 2000; ++step) {
            std::vector<double> next(size);
            if (step > 0) {
                const std::vector<double> along = projected(axis);
                for (std::size_t i = 0; i < centered.size(); ++i) next[i % size] += centered[i] * along[i / size];
            } else {
                next = axis;
            }
            for (const std::vector<double>& other : axes) {
                const double share = std::inner_product(next.begin(), next.end(), other.begin(), 0.0);
                for (std::size_t k = 0; k < size; ++k) next[k] -= share * other[k];
            }
            const double norm = std::sqrt(std::inner_product(next.begin(), next.end(), next.begin(), 0.0));
            if (!(norm > 1e-150)) {  // all images are the same in what is left
                std::ranges::fill(axis, 0.0);
                break;
            }
            double change = 0;
            for (std::size_t k = 0; k < size; ++k) {
                change = std::max(change, std::abs(next[k] / norm - axis[k]));
                axis[k] = next[k] / norm;
            }
            if (change < 1e-12) break;
        }
        const double largest = *std::ranges::max_element(axis, {}, [](double value) { return std::abs(value); });
        if (largest < 0)
            for (double& value : axis) value = -value;
        axes.push_back(axis);
    }
    const std::vector<double> x = projected(axes[0]), y = projected(axes[1]);
    std::vector<Point> points;
    for (std::size_t i = 0; i < count; ++i) points.push_back({x[i], y[i]});
    return points;
}

/// The `count` images whose features point most in the direction of others, `query`, the most similar one first, of
/// equals the first. An image without features, all zeros, is similar to none: 0. Throws tenon::Error as
/// principal_components, and for a query of another size.
template <class Once = void>
std::vector<Neighbor> nearest(std::span<const float> features, std::size_t size, std::span<const float> query,
                              std::size_t count) {
    const std::size_t images = detail::check_features(features, size);
    if (query.size() != size)
        throw Error("expected " + std::to_string(size) + " features to look for, found " +
                    std::to_string(query.size()));
    const auto product = [](std::span<const float> a, std::span<const float> b) {
        double sum = 0;
        for (std::size_t k = 0; k < a.size(); ++k) sum += static_cast<double>(a[k]) * static_cast<double>(b[k]);
        return sum;
    };
    std::vector<Neighbor> all;
    for (std::size_t i = 0; i < images; ++i) {
        const std::span<const float> one = features.subspan(i * size, size);
        const double lengths = std::sqrt(product(one, one) * product(query, query));
        all.push_back({i, lengths > 0 ? product(one, query) / lengths : 0});
    }
    std::ranges::stable_sort(all, [](const Neighbor& a, const Neighbor& b) { return a.similarity > b.similarity; });
    all.resize(std::min(count, all.size()));
    return all;
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace explanations

}  // namespace tenon
