#pragma once
// IWYU pragma: private, include <tenon/data.hpp>

// Normalize: samples as a network reads them.

#include <array>
#include <cmath>
#include <cstddef>
#include <string>
#include <string_view>

#include <tenon/core/error.hpp>
#include <tenon/core/index.hpp>
#include <tenon/core/isa.hpp>
#include <tenon/core/number_text.hpp>
#include <tenon/data/picture.hpp>
#include <tenon/data/statistics.hpp>

namespace tenon {
inline namespace TENON_ISA_NAMESPACE {

/// Each sample becomes (sample x scale - mean) / deviation of its channel; the defaults turn 0 to 255 into 0 to 1. For
/// gray images only the first mean and deviation are used. Integer samples give the floats of tenon::preprocess and of
/// torchvision's ToTensor and Normalize, bit for bit. `result` throws tenon::Error when images have more than 3
/// channels, or a deviation is not positive.
struct Normalize {
    std::array<float, 3> mean = {0, 0, 0};
    std::array<float, 3> deviation = {1, 1, 1};
    double scale = 1.0 / 255;

    static constexpr std::string_view purpose = "normalize";

    Shape result(const Shape& shape) const {
        if (shape.channels < 1 || shape.channels > 3)
            throw Error("expected images of 1 to 3 channels for Normalize, found " + to_string(shape));
        for (int c = 0; c < shape.channels; ++c)
            if (const float value = deviation[detail::index(c)]; !(value > 0 && std::isfinite(value)))
                throw Error("expected Normalize with positive deviations, found " + detail::fixed_text(value));
        return shape;
    }
    void apply(Picture& picture, Picture&, const detail::SampleDraws&) const {
        const auto plane = detail::index(picture.shape.pixels());
        for (std::size_t c = 0; c < detail::index(picture.shape.channels); ++c) {
            float* const samples = picture.samples.data() + c * plane;
            for (std::size_t i = 0; i < plane; ++i)
                samples[i] = (static_cast<float>(double{samples[i]} * scale) - mean[c]) / deviation[c];
        }
    }
};

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon
