#pragma once
// IWYU pragma: private, include <tenon/training.hpp>

// test_layer: whether the gradients of a layer, any layer, agree with finite differences.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <tenon/core/index.hpp>
#include <tenon/engine/reference_training.hpp>

namespace tenon {

/// Options of test_layer.
struct LayerTestOptions {
    int batch = 4;
    std::uint64_t seed = 1;
    double step = 1e-5;  ///< the half width of a central difference
    int probes = 24;     ///< entries probed per tensor, spread evenly; all of them if there are fewer
};

inline namespace TENON_ISA_NAMESPACE {

/// The result of test_layer.
struct LayerTestResult {
    double worst_error = 0;  ///< the largest difference, relative to the tensor's largest derivative (at least 1e-3)
    int probed = 0;          ///< entries compared
    int discarded = 0;  ///< entries at a kink, where the differences on both sides disagree: a ReLU or maximum switches
    std::string worst;  ///< which entry: "input[17]", "layer0.weight[3]"

    /// Whether the gradients are right: entries were compared, and none is wrong by more than `tolerance`.
    bool passed(double tolerance = 1e-6) const { return probed > 0 && worst_error <= tolerance; }
};

}  // namespace TENON_ISA_NAMESPACE

namespace detail {
inline namespace TENON_ISA_NAMESPACE {

/// A layer or list of layers as a network.
template <class Layer, class In>
struct LayerNetwork : Network<In, Layer> {};

/// The gradient test of networks: see test_layer.
template <class Net>
class NetworkTest {
public:
    explicit NetworkTest(const LayerTestOptions& options)
        : options_{options},
          engine_{options.batch},
          images_(index(options.batch * input_shape<Net>.elements())),
          weights_(index(options.batch * output_shape<Net>.elements())) {
        engine_.update_running_statistics(false);
        auto& parameters = engine_.parameters();
        for (int i = 0; i < parameters.count(); ++i) {
            const ParameterRole role = parameters.infos()[index(i)].role;
            const bool positive = role == ParameterRole::gamma || role == ParameterRole::running_variance;
            draw(parameters[i], static_cast<std::uint64_t>(i) + 1, positive ? 0.5 : -0.8, positive ? 1.5 : 0.8);
        }
        draw(images_, 1000, -1, 1);
        draw(weights_, 1001, -1, 1);
    }

    LayerTestResult run() {
        center_ = loss();
        engine_.backward(weights_);
        const auto input_gradient = engine_.input_gradient();
        probe(images_, {input_gradient.begin(), input_gradient.end()}, "input");
        auto& parameters = engine_.parameters();
        for (int i = 0; i < parameters.count(); ++i) {
            if (!engine_.is_trained(i)) continue;
            const Parameter& info = parameters.infos()[index(i)];
            const auto derivatives = engine_.gradients()[i];
            probe(parameters[i], {derivatives.begin(), derivatives.end()},
                  "layer" + std::to_string(info.layer) + "." + std::string(role_name(info.role)));
        }
        return result_;
    }

private:
    void draw(std::span<double> values, std::uint64_t stream, double low, double high) const {
        for (std::size_t i = 0; i < values.size(); ++i)
            values[i] = uniform(random_bits(options_.seed, stream, i), low, high);
    }

    /// The results, weighted and added up.
    double loss() {
        const std::span<const double> results = engine_.forward(images_, options_.seed);
        double sum = 0;
        for (std::size_t i = 0; i < weights_.size(); ++i) sum += weights_[i] * results[i];
        return sum;
    }
    double loss_with(double& value, double replacement) {
        const double before = std::exchange(value, replacement);
        const double sum = loss();
        value = before;
        return sum;
    }

    /// Compares some of a tensor's derivatives with differences of the loss.
    void probe(std::span<double> values, const std::vector<double>& derivatives, const std::string& name) {
        double scale = 1e-3;
        for (const double derivative : derivatives) scale = std::max(scale, std::abs(derivative));
        const std::size_t count = std::min(values.size(), index(options_.probes));
        for (std::size_t k = 0; k < count; ++k) {
            const std::size_t i = k * values.size() / count;
            const double error = error_of(values[i], derivatives[i], scale);
            if (error < 0) {
                ++result_.discarded;
                continue;
            }
            ++result_.probed;
            if (error > result_.worst_error || std::isnan(error)) {
                result_.worst_error = std::isnan(error) ? std::numeric_limits<double>::infinity() : error;
                result_.worst = name + "[" + std::to_string(i) + "]";
            }
        }
    }

    /// The distance of a derivative from the central difference, in units of `scale`; -1 at a kink.
    double error_of(double& value, double derivative, double scale) {
        const double step = options_.step, above = loss_with(value, value + step),
                     below = loss_with(value, value - step);
        const double right = (above - center_) / step, left = (center_ - below) / step;
        // For smooth functions, both sides differ by second derivative * step; at a kink by a share of the derivative.
        if (std::abs(right - left) > 2e-2 * scale) return -1;
        return std::abs((above - below) / (2 * step) - derivative) / scale;
    }

    LayerTestOptions options_;
    reference::TrainingEngine<Net, double> engine_;
    std::vector<double> images_, weights_;
    double center_ = 0;  // the loss of values as they are
    LayerTestResult result_;
};

}  // namespace TENON_ISA_NAMESPACE
}  // namespace detail

inline namespace TENON_ISA_NAMESPACE {

/// Compares the gradients of a layer (with respect to its input and all its parameters, in training mode, in double)
/// with central differences of a random linear function of its results. Works for any type with a `lower`, including
/// combinators and your own layers: `CHECK(test_layer<Conv<8, Kernel<3>>, Input<4, 9, 9>>().passed());`. Entries where
/// the function has a kink within `step` are discarded.
template <class Layer, class In>
LayerTestResult test_layer(LayerTestOptions options = {}) {
    return detail::NetworkTest<detail::LayerNetwork<Layer, In>>(options).run();
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon
