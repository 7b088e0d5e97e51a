// Comparing the CPU backend with the reference backend in double.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <span>
#include <vector>

#include <doctest/doctest.h>

#include <tenon/engine/reference.hpp>
#include <tenon/runtime/model.hpp>
#include <tenon/topology/block.hpp>

namespace tenon_test {

/// Seeded images in [-1, 1].
template <class Net>
std::vector<float> seeded_images(int batch, std::uint64_t seed = 1) {
    std::vector<float> images(static_cast<std::size_t>(batch * tenon::input_shape<Net>.elements()));
    for (std::size_t i = 0; i < images.size(); ++i)
        images[i] = static_cast<float>(
            tenon::detail::uniform(tenon::detail::random_bits(seed, tenon::detail::hash_name("input"), i), -1, 1));
    return images;
}

/// The most products that are summed up for one output of any layer: K of the error bound.
template <class Net>
constexpr double largest_depth() {
    long depth = 1;
    for (const tenon::detail::Parameter& parameter : tenon::lowered<Net>.parameters)
        if (parameter.role == tenon::ParameterRole::weight)
            depth = std::max(depth, parameter.elements() / parameter.dimensions[0]);
    return static_cast<double>(depth);
}

/// The results of a seeded network on a seeded batch, by the naive backend in double.
template <class Net>
std::vector<double> reference_results(const tenon::Parameters<Net>& parameters, int batch) {
    tenon::Model<Net, tenon::Reference<double>> reference;
    reference.set_parameters(parameters);
    const std::vector<float> images = seeded_images<Net>(batch);
    const auto results = reference(std::vector<double>(images.begin(), images.end()));
    return {results.begin(), results.end()};
}

/// Checks results: each within `bound` of the largest one of its expected value.
inline void check_close(std::span<const float> found, std::span<const double> expected, double bound) {
    REQUIRE(found.size() == expected.size());
    double largest = 0, error = 0;
    std::size_t worst = 0;
    for (std::size_t i = 0; i < expected.size(); ++i) {
        largest = std::max(largest, std::abs(expected[i]));
        const double difference = std::abs(double{found[i]} - expected[i]);
        if (!(difference <= error)) {  // a NaN is an error too
            error = difference;
            worst = i;
            if (std::isnan(difference)) break;  // nothing after it may hide it
        }
    }
    INFO("largest result " << largest << ", worst at " << worst << ": found " << found[worst] << ", expected "
                           << expected[worst]);
    REQUIRE(largest > 0);
    CHECK(error <= bound * largest);
}

/// Checks a network's results on a batch against the reference in double: within `factor` * sqrt(K) * epsilon of the
/// largest result, K being the depth of the deepest sum.
template <class Net, class Backend = tenon::Cpu>
void compare_with_reference(int batch = 3, double factor = 4, int threads = 2) {
    tenon::Parameters<Net> parameters;
    parameters.seed(7, tenon::Naming::canonical);
    tenon::Model<Net, Backend> model{{.threads = threads, .images_in_flight = 2}};
    model.set_parameters(parameters);
    check_close(model(seeded_images<Net>(batch)), reference_results(parameters, batch),
                factor * std::sqrt(largest_depth<Net>()) * double{std::numeric_limits<float>::epsilon()});
}

}  // namespace tenon_test
