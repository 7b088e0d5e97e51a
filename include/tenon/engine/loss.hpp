#pragma once
// IWYU pragma: private, include <tenon/training.hpp>

// Softmax cross-entropy of a batch, with integer labels or soft targets, and its gradient.

#include <cmath>
#include <cstdint>
#include <span>
#include <string>

#include <tenon/backend/shared/namespaces.hpp>
#include <tenon/core/error.hpp>
#include <tenon/core/index.hpp>
#include <tenon/core/isa.hpp>

namespace tenon {

/// Options of a training iteration besides images and targets.
struct StepOptions {
    /// The share of the target that is spread over all classes: q = (1 - s) * target + s / classes, as in torch and
    /// Keras.
    double label_smoothing = 0;
    /// Decides which features dropout drops; give each iteration another one.
    std::uint64_t seed = 0;
};

/// What a training iteration returns.
struct LossResult {
    double loss = 0;   ///< mean over the batch
    long correct = 0;  ///< images whose largest logit is that of the label, or of the largest soft target
};

inline namespace TENON_ISA_NAMESPACE {

/// The targets of a batch: a label per image, or a distribution over the classes per image.
template <class Scalar>
class Targets {
public:
    Targets(std::span<const int> labels) : labels_{labels} {}
    Targets(std::span<const Scalar> distributions) : soft_{distributions} {}

    /// Throws tenon::Error when there are not as many as images, a label is not a class, or a distribution has a
    /// negative, infinite or NaN entry.
    void check(long images, int classes) const {
        const long expected = soft_.empty() ? images : images * classes;
        const long size = static_cast<long>(soft_.empty() ? labels_.size() : soft_.size());
        if (size != expected)
            throw Error("a batch of " + std::to_string(images) + " images needs " + std::to_string(expected) +
                        (soft_.empty() ? " labels, not " : " target probabilities, not ") + std::to_string(size));
        for (std::size_t i = 0; i < labels_.size(); ++i)
            if (labels_[i] < 0 || labels_[i] >= classes)
                throw Error("label " + std::to_string(labels_[i]) + " of image " + std::to_string(i) +
                            " is not one of the network's classes 0 to " + std::to_string(classes - 1));
        for (std::size_t i = 0; i < soft_.size(); ++i)
            if (!(soft_[i] >= 0 && std::isfinite(soft_[i])))
                throw Error("target " + std::to_string(soft_[i]) + " of image " +
                            std::to_string(static_cast<long>(i) / classes) + " is not a probability");
    }

    double operator()(long image, int klass, int classes) const {
        if (soft_.empty()) return labels_[detail::index(image)] == klass ? 1.0 : 0.0;
        return static_cast<double>(soft_[detail::index(image * classes + klass)]);
    }

private:
    std::span<const int> labels_{};
    std::span<const Scalar> soft_{};
};

}  // namespace TENON_ISA_NAMESPACE

namespace detail {
inline namespace TENON_ISA_NAMESPACE {

/// Softmax cross-entropy of one image and the gradient of the batch's mean with respect to its logits; computed in
/// double. Equals torch.nn.CrossEntropyLoss(label_smoothing=...).
template <class Scalar>
LossResult softmax_cross_entropy(const Scalar* logits, int classes, const Targets<Scalar>& targets, long image,
                                 long images, double label_smoothing, Scalar* gradient) {
    double largest = static_cast<double>(logits[0]);
    int predicted = 0, wanted = 0;
    for (int c = 1; c < classes; ++c) {
        if (static_cast<double>(logits[c]) > largest || std::isnan(logits[c])) {
            largest = static_cast<double>(logits[c]);
            predicted = c;
        }
        if (targets(image, c, classes) > targets(image, wanted, classes)) wanted = c;
    }
    double sum = 0, total_target = 0;
    for (int c = 0; c < classes; ++c) sum += std::exp(static_cast<double>(logits[c]) - largest);
    const double log_sum = std::log(sum);
    LossResult result{0, predicted == wanted ? 1 : 0};
    const auto target = [&](int c) {
        return (1 - label_smoothing) * targets(image, c, classes) + label_smoothing / classes;
    };
    for (int c = 0; c < classes; ++c) {
        total_target += target(c);
        result.loss -= target(c) * (static_cast<double>(logits[c]) - largest - log_sum);
    }
    for (int c = 0; c < classes; ++c) {
        const double probability = std::exp(static_cast<double>(logits[c]) - largest) / sum;
        gradient[c] = static_cast<Scalar>((probability * total_target - target(c)) / static_cast<double>(images));
    }
    return result;
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace detail

}  // namespace tenon
