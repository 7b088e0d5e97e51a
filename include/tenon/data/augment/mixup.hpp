#pragma once
// IWYU pragma: private, include <tenon/data.hpp>

// MixUp: images and labels of a batch mixed in pairs.

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include <tenon/core/error.hpp>
#include <tenon/core/index.hpp>
#include <tenon/core/isa.hpp>
#include <tenon/core/number_text.hpp>
#include <tenon/core/random.hpp>

namespace tenon {

namespace detail {
inline namespace TENON_ISA_NAMESPACE {

/// Throws tenon::Error unless alpha is 0, or in (0, 1] and each label is one of the classes.
inline void check_mixing(const std::string& name, double alpha, int classes, std::span<const int> labels) {
    if (!(alpha >= 0 && alpha <= 1))
        throw Error("expected " + name + " with alpha from 0 to 1, found " + fixed_text(alpha));
    if (alpha == 0) return;
    for (const int label : labels)
        if (label < 0 || label >= classes)
            throw Error("expected labels from 0 to " + std::to_string(classes - 1) + " for " + name + ", found " +
                        std::to_string(label));
}

/// A draw from Beta(alpha, alpha) for batch `index` of an epoch and a purpose, by Jöhnk's method.
inline double beta_share(std::string_view purpose, double alpha, std::uint64_t seed, long epoch, long index) {
    const std::uint64_t stream = mix(hash_name(purpose) + static_cast<std::uint64_t>(epoch) * golden_step);
    std::uint64_t draw = static_cast<std::uint64_t>(index) << 20;
    while (true) {
        const double x = std::pow(uniform(random_bits(seed, stream, draw++), 0, 1), 1 / alpha);
        const double y = std::pow(uniform(random_bits(seed, stream, draw++), 0, 1), 1 / alpha);
        if (x + y > 0 && x + y <= 1) return x / (x + y);
    }
}

/// Writes the targets of images mixed in pairs, labels.size() x classes: `share` of an image's own label.
inline void mix_targets(std::span<const int> labels, std::span<float> targets, int classes, double share) {
    const auto own = static_cast<float>(share), rest = static_cast<float>(1 - share);
    std::ranges::fill(targets, 0.0f);
    for (std::size_t i = 0; i < labels.size(); ++i) {
        const auto row = targets.subspan(i * static_cast<std::size_t>(classes), static_cast<std::size_t>(classes));
        row[static_cast<std::size_t>(labels[i])] += own;
        row[static_cast<std::size_t>(labels[labels.size() - 1 - i])] += rest;
    }
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace detail

inline namespace TENON_ISA_NAMESPACE {

/// Image i of n becomes s x image i + (1 - s) x image n-1-i, and its target the same mixture of the two labels (Zhang
/// et al. 2018, arXiv 1710.09412). The share s is drawn once per batch from Beta(alpha, alpha).
struct MixUp {
    double alpha = 0;  ///< 0: off; at most 1. The paper uses 0.1 to 0.4 for ImageNet, 1 for CIFAR-10
    int classes = 0;   ///< of the data set

    bool is_on() const { return alpha != 0; }

    /// Throws tenon::Error unless alpha is 0, or in (0, 1] and each label is one of the classes.
    void check(std::span<const int> labels) const { detail::check_mixing("MixUp", alpha, classes, labels); }

    /// The share for batch `index` of an epoch.
    double share(std::uint64_t seed, long epoch, long index) const {
        return detail::beta_share("mixup", alpha, seed, epoch, index);
    }

    /// Mixes the images in place and writes their targets, labels.size() x classes.
    void mix(std::span<float> images, std::span<const int> labels, std::span<float> targets, double share) const {
        const std::size_t count = labels.size(), elements = images.size() / count;
        const auto s = static_cast<float>(share), rest = static_cast<float>(1 - share);
        for (std::size_t i = 0; i < count / 2; ++i) {
            float* const one = images.data() + i * elements;
            float* const other = images.data() + (count - 1 - i) * elements;
            for (std::size_t j = 0; j < elements; ++j) {
                const float a = one[j], b = other[j];
                one[j] = s * a + rest * b;
                other[j] = s * b + rest * a;
            }
        }
        detail::mix_targets(labels, targets, classes, share);
    }
};

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon
