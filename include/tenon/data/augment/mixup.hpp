#pragma once
// IWYU pragma: private, include <tenon/data.hpp>

// MixUp: images and labels of a batch mixed in pairs.

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include <tenon/core/error.hpp>
#include <tenon/core/index.hpp>
#include <tenon/core/isa.hpp>
#include <tenon/core/number_text.hpp>
#include <tenon/core/random.hpp>

namespace tenon {
inline namespace TENON_ISA_NAMESPACE {

/// Image i of n becomes s x image i + (1 - s) x image n-1-i, and its target the same mixture of the two labels (Zhang
/// et al. 2018, arXiv 1710.09412). The share s is drawn once per batch from Beta(alpha, alpha).
struct MixUp {
    double alpha = 0;  ///< 0: off; at most 1. The paper uses 0.1 to 0.4 for ImageNet, 1 for CIFAR-10
    int classes = 0;   ///< of the data set

    bool is_on() const { return alpha != 0; }

    /// Throws tenon::Error unless alpha is 0, or in (0, 1] and each label is one of the classes.
    void check(std::span<const int> labels) const {
        if (!(alpha >= 0 && alpha <= 1))
            throw Error("expected MixUp with alpha from 0 to 1, found " + detail::fixed_text(alpha));
        if (!is_on()) return;
        for (const int label : labels)
            if (label < 0 || label >= classes)
                throw Error("expected labels from 0 to " + std::to_string(classes - 1) + " for MixUp, found " +
                            std::to_string(label));
    }

    /// The share for batch `index` of an epoch, by Jöhnk's method.
    double share(std::uint64_t seed, long epoch, long index) const {
        const std::uint64_t stream =
            detail::mix(detail::hash_name("mixup") + static_cast<std::uint64_t>(epoch) * detail::golden_step);
        std::uint64_t draw = static_cast<std::uint64_t>(index) << 20;
        while (true) {
            const double x = std::pow(detail::uniform(detail::random_bits(seed, stream, draw++), 0, 1), 1 / alpha);
            const double y = std::pow(detail::uniform(detail::random_bits(seed, stream, draw++), 0, 1), 1 / alpha);
            if (x + y > 0 && x + y <= 1) return x / (x + y);
        }
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
        std::ranges::fill(targets, 0.0f);
        for (std::size_t i = 0; i < count; ++i) {
            const auto row = targets.subspan(i * detail::index(classes), detail::index(classes));
            row[detail::index(labels[i])] += s;
            row[detail::index(labels[count - 1 - i])] += rest;
        }
    }
};

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon
