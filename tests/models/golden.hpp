// Comparing a network with the golden values that scripts/make_goldens.py wrote: what a case's file holds, the weights
// and inputs it was computed from, and the tolerances.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <iostream>
#include <limits>
#include <set>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include <tenon/engine/reference.hpp>
#include <tenon/io/safetensors.hpp>
#include <tenon/runtime/model.hpp>

#include "../support.hpp"

namespace tenon_test {

inline constexpr std::uint64_t golden_seed = 1;

/// How far results may be from the float64 values, as a share of the largest value.
inline constexpr double float_tolerance = 1e-5;
inline constexpr double double_tolerance = 1e-10;

/// The output of a case: whole, or 512 samples of it, and for each image the mean and the largest absolute value.
class Golden {
public:
    Golden(const tenon::SafetensorsFile& file, const std::string& name) {
        whole_ = file.find(name + "/output") != nullptr;
        values_ = file.values<double>(name + (whole_ ? "/output" : "/samples"));
        statistics_ = file.values<double>(name + "/statistics");
        for (std::size_t image = 0; image < images(); ++image)
            largest_ = std::max(largest_, statistics_[2 * image + 1]);
    }

    std::size_t images() const { return statistics_.size() / 2; }

    /// The largest difference of the results of the first images, `size` scalars each, from what is known about them,
    /// as a share of the largest value; infinity when they are not of the same size or one is not a number.
    template <class Scalar>
    double error(std::span<const Scalar> results, std::size_t size) const {
        const std::size_t total = images() * size, known = results.size() / size;
        if (results.size() % size != 0 || results.empty() || known > images()) return infinity;
        if (whole_ ? total != values_.size() : total <= values_.size()) return infinity;
        double error = 0;
        for (std::size_t image = 0; image < known; ++image) {
            double sum = 0, largest = 0;
            for (const Scalar value : results.subspan(image * size, size)) {
                if (!std::isfinite(value)) return infinity;
                sum += value;
                largest = std::max(largest, std::abs(static_cast<double>(value)));
            }
            error = std::max({error, std::abs(sum / static_cast<double>(size) - statistics_[2 * image]),
                              std::abs(largest - statistics_[2 * image + 1])});
        }
        for (std::size_t i = 0; i < values_.size(); ++i) {
            const std::size_t element = whole_ ? i : i * sample_step % total;
            if (element < results.size()) error = std::max(error, std::abs(results[element] - values_[i]));
        }
        return error / largest_;
    }

private:
    static constexpr double infinity = std::numeric_limits<double>::infinity();
    static constexpr std::size_t sample_step = 7919;
    bool whole_ = false;
    std::vector<double> values_, statistics_;
    double largest_ = 0;
};

/// The seeded input of a network, any number of images.
template <class Scalar>
std::vector<Scalar> seeded_input(std::size_t size) {
    std::vector<Scalar> input(size);
    const std::uint64_t stream = tenon::detail::hash_name("input");
    for (std::size_t i = 0; i < size; ++i)
        input[i] =
            static_cast<float>(tenon::detail::uniform(tenon::detail::random_bits(golden_seed, stream, i), -1, 1));
    return input;
}

/// Seeded parameters under the names that `rules` give to the layers; the same as Parameters::seed where those are the
/// names of the network's convention.
template <class Net>
tenon::Parameters<Net> seeded_parameters(std::span<const tenon::detail::NameRule> rules) {
    tenon::Parameters<Net> parameters;
    const auto& program = tenon::lowered<Net>;
    const tenon::detail::NamingConvention convention{.rules = rules};
    const std::vector<std::string> layers =
        tenon::detail::layer_names({program.layers.begin(), program.layers.end()}, convention);
    for (int i = 0; i < program.parameters.size(); ++i) {
        const tenon::detail::Parameter& info = program.parameters[i];
        const std::string name =
            tenon::detail::tensor_name(layers[static_cast<std::size_t>(info.layer)], info.role, convention);
        const auto [low, high] = tenon::detail::seeded_range(info);
        std::uint64_t element = 0;
        for (float& value : parameters[i])
            value = static_cast<float>(tenon::detail::uniform(
                tenon::detail::random_bits(golden_seed, tenon::detail::hash_name(name), element++), low, high));
    }
    return parameters;
}

/// Runs a network on the CPU and returns its error against a case of the golden file. Each image alone has to give the
/// same to the bit as in the batch.
template <class Net>
double error_on_cpu(const Golden& golden, std::span<const tenon::detail::NameRule> rules) {
    const auto inputs = static_cast<std::size_t>(tenon::input_shape<Net>.elements());
    const auto outputs = static_cast<std::size_t>(tenon::output_shape<Net>.elements());
    tenon::Model<Net> model{{.threads = 2}};
    model.set_parameters(seeded_parameters<Net>(rules));
    const std::vector<float> images = seeded_input<float>(golden.images() * inputs);
    std::vector<float> results(golden.images() * outputs), alone(outputs);
    model(images, results);
    for (std::size_t i = 0; i < golden.images() && golden.images() > 1; ++i) {
        model(std::span(images).subspan(i * inputs, inputs), alone);
        CHECK(std::equal(alone.begin(), alone.end(), results.begin() + static_cast<long>(i * outputs)));
    }
    return golden.error<float>(results, outputs);
}

/// Runs a network in double by the naive backend on the first image and returns its error.
template <class Net>
double error_in_double(const Golden& golden, std::span<const tenon::detail::NameRule> rules) {
    tenon::Model<Net, tenon::Reference<double>> model;
    model.set_parameters(seeded_parameters<Net>(rules));
    return golden.error<double>(
        model(seeded_input<double>(static_cast<std::size_t>(tenon::input_shape<Net>.elements()))),
        static_cast<std::size_t>(tenon::output_shape<Net>.elements()));
}

/// A case of the golden file, without its group, and the network that has to compute it.
struct GoldenCase {
    std::string name;
    std::span<const tenon::detail::NameRule> rules;
    double (*error_on_cpu)(const Golden&, std::span<const tenon::detail::NameRule>);
    double (*error_in_double)(const Golden&,
                              std::span<const tenon::detail::NameRule>);  ///< null: too large for a naive loop

    template <class Net>
    static GoldenCase of(std::string name, std::span<const tenon::detail::NameRule> rules) {
        constexpr bool is_small = tenon::multiply_adds<Net> < 1'000'000'000;
        return {std::move(name), rules, &tenon_test::error_on_cpu<Net>,
                is_small ? &tenon_test::error_in_double<Net> : nullptr};
    }
};

/// Checks every case of a group in the golden file, and that the file holds no case of the group that isn't checked.
inline void check_group(const std::string& group, const std::vector<GoldenCase>& cases) {
    const tenon::SafetensorsFile file(source_file("tests/models/golden.safetensors"));
    std::set<std::string> unchecked;
    for (const tenon::TensorEntry& tensor : file.tensors())
        if (tensor.name.starts_with(group + "/")) unchecked.insert(tensor.name.substr(0, tensor.name.rfind('/')));
    double worst_float = 0, worst_double = 0;
    for (const GoldenCase& golden_case : cases) {
        const std::string name = group + "/" + golden_case.name;
        CAPTURE(name);
        REQUIRE(unchecked.erase(name) == 1);
        const Golden golden(file, name);
        const double float_error = golden_case.error_on_cpu(golden, golden_case.rules);
        CHECK(float_error <= float_tolerance);
        worst_float = std::max(worst_float, float_error);
        if (!golden_case.error_in_double) continue;
        const double double_error = golden_case.error_in_double(golden, golden_case.rules);
        CHECK(double_error <= double_tolerance);
        worst_double = std::max(worst_double, double_error);
    }
    const std::string left = unchecked.empty() ? "" : *unchecked.begin();
    CHECK_MESSAGE(unchecked.empty(), "no network was compared with ", left);
    std::cout << group << ": " << cases.size() << " cases, largest error of the largest value " << worst_float
              << " in float on the CPU, " << worst_double << " in double by the naive backend\n";
}

}  // namespace tenon_test
