#pragma once
// IWYU pragma: private, include <tenon/inference.hpp>

// softmax: logits as probabilities.

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include <tenon/core/error.hpp>
#include <tenon/core/isa.hpp>
#include <tenon/core/math.hpp>
#include <tenon/core/min_max.hpp>
#include <tenon/core/sentence.hpp>

namespace tenon {
inline namespace TENON_ISA_NAMESPACE {

/// Probabilities over `classes` logits per image; with `classes` = 0, over all logits as one image. Throws tenon::Error
/// when the logits are not a whole number of images.
inline std::vector<float> softmax(std::span<const float> logits, std::size_t classes = 0) {
    if (classes == 0) classes = logits.size();
    if (classes == 0 || logits.size() % classes != 0)
        detail::throw_error(
            {"softmax over ", classes, " classes needs a multiple of ", classes, " logits, not ", logits.size()});
    std::vector<float> probabilities(logits.size());
    for (std::size_t first = 0; first < logits.size(); first += classes) {
        float largest = logits[first];
        for (std::size_t i = first + 1; i < first + classes; ++i) largest = std::max(largest, logits[i]);
        double sum = 0;
        for (std::size_t i = first; i < first + classes; ++i) sum += detail::exp(double{logits[i]} - double{largest});
        for (std::size_t i = first; i < first + classes; ++i)
            probabilities[i] = static_cast<float>(detail::exp(double{logits[i]} - double{largest}) / sum);
    }
    return probabilities;
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon
