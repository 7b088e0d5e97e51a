#pragma once
// IWYU pragma: private, include <tenon/data.hpp>

// CenterCrop and RandomResizedCrop: cut images of the size that a network reads out of larger ones.

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tenon/core/error.hpp>
#include <tenon/core/index.hpp>
#include <tenon/core/isa.hpp>
#include <tenon/core/number_text.hpp>
#include <tenon/data/picture.hpp>
#include <tenon/image/preprocess.hpp>
#include <tenon/image/resize.hpp>

namespace tenon {
inline namespace TENON_ISA_NAMESPACE {

/// The middle `height` x `width` pixels of an image, for evaluation. Equals torchvision's CenterCrop((height, width)).
/// `result` throws tenon::Error when images are smaller than that.
struct CenterCrop {
    int height = 224, width = 224;
    Rounding offset = Rounding::nearest;  ///< of half the pixels that are cut off

    static constexpr std::string_view purpose = "center_crop";

    Shape result(const Shape& shape) const {
        if (height < 1 || width < 1 || height > shape.height || width > shape.width)
            throw Error("expected CenterCrop to at most the images' " + to_string(shape) + ", found " +
                        std::to_string(height) + " x " + std::to_string(width));
        return {shape.channels, height, width};
    }
    void apply(Picture& picture, Picture& spare, const detail::SampleDraws&) const {
        const auto half = [this](int pixels) { return static_cast<int>(detail::rounded_quotient(pixels, 2, offset)); };
        const int top = half(picture.shape.height - height), left = half(picture.shape.width - width);
        spare.reshape({picture.shape.channels, height, width});
        for (int c = 0; c < picture.shape.channels; ++c)
            for (int y = 0; y < height; ++y)
                std::copy_n(picture.row(c, top + y).begin() + left, width, spare.row(c, y).begin());
        std::swap(picture, spare);
    }
};

/// A random part of an image, of a random share of its area and a random ratio of width to height, resized to `height`
/// x `width` with antialiasing. Drawn like torchvision's RandomResizedCrop: the ratio is uniform in its logarithm;
/// after ten draws that don't fit, the largest part in the middle within the ratios is taken. `result` throws
/// tenon::Error when an option is out of range.
struct RandomResizedCrop {
    int height = 224, width = 224;
    double min_area = 0.08, max_area = 1;
    double min_ratio = 3.0 / 4, max_ratio = 4.0 / 3;
    ResizeFilter filter = ResizeFilter::bilinear;

    static constexpr std::string_view purpose = "random_resized_crop";

    /// A part of an image, in pixels.
    struct Part {
        int top, left, height, width;
    };

    Shape result(const Shape& shape) const {
        if (height < 1 || width < 1)
            throw Error("expected RandomResizedCrop to a positive size, found " + std::to_string(height) + " x " +
                        std::to_string(width));
        if (!(0 < min_area && min_area <= max_area && max_area <= 1) ||
            !(0 < min_ratio && min_ratio <= max_ratio && std::isfinite(max_ratio)))
            throw Error(
                "expected RandomResizedCrop with 0 < min_area <= max_area <= 1 and 0 < min_ratio <= "
                "max_ratio, found areas " +
                detail::fixed_text(min_area) + " to " + detail::fixed_text(max_area) + " and ratios " +
                detail::fixed_text(min_ratio) + " to " + detail::fixed_text(max_ratio));
        return {shape.channels, height, width};
    }

    /// The part that `draws` cut out of an image of this shape.
    Part part(const Shape& shape, const detail::SampleDraws& draws) const {
        const double area = static_cast<double>(shape.pixels());
        for (std::uint64_t attempt = 0; attempt < 10; ++attempt) {
            const double target = area * draws.uniform(4 * attempt, min_area, max_area);
            const double ratio = std::exp(draws.uniform(4 * attempt + 1, std::log(min_ratio), std::log(max_ratio)));
            const long columns = std::lround(std::sqrt(target * ratio)), rows = std::lround(std::sqrt(target / ratio));
            if (columns < 1 || rows < 1 || columns > shape.width || rows > shape.height) continue;
            const int part_height = static_cast<int>(rows), part_width = static_cast<int>(columns);
            return {draws.below(4 * attempt + 2, shape.height - part_height + 1),
                    draws.below(4 * attempt + 3, shape.width - part_width + 1), part_height, part_width};
        }
        const double ratio = static_cast<double>(shape.width) / shape.height;
        int part_height = shape.height, part_width = shape.width;
        if (ratio < min_ratio)
            part_height = std::clamp(static_cast<int>(std::lround(shape.width / min_ratio)), 1, shape.height);
        else if (ratio > max_ratio)
            part_width = std::clamp(static_cast<int>(std::lround(shape.height * max_ratio)), 1, shape.width);
        return {(shape.height - part_height) / 2, (shape.width - part_width) / 2, part_height, part_width};
    }

    void apply(Picture& picture, Picture& spare, const detail::SampleDraws& draws) const {
        const Part from = part(picture.shape, draws);
        const detail::Resampling columns(from.width, width, filter), rows(from.height, height, filter);
        const int channels = picture.shape.channels;

        spare.reshape({channels, from.height, width});
        for (int c = 0; c < channels; ++c)
            for (int y = 0; y < from.height; ++y) {
                const auto source = picture.row(c, from.top + y).subspan(detail::index(from.left));
                const auto target = spare.row(c, y);
                for (int x = 0; x < width; ++x) {
                    const auto window = columns.window(x);
                    float sum = 0;
                    for (std::size_t i = 0; i < window.weights.size(); ++i)
                        sum += weight(window.weights[i]) * source[detail::index(window.first) + i];
                    target[detail::index(x)] = sum;
                }
            }
        picture.reshape({channels, height, width});
        for (int c = 0; c < channels; ++c)
            for (int y = 0; y < height; ++y) {
                const auto window = rows.window(y);
                const auto target = picture.row(c, y);
                std::ranges::fill(target, 0.0f);
                for (std::size_t i = 0; i < window.weights.size(); ++i) {
                    const auto source = std::as_const(spare).row(c, window.first + static_cast<int>(i));
                    const float factor = weight(window.weights[i]);
                    for (std::size_t x = 0; x < target.size(); ++x) target[x] += factor * source[x];
                }
            }
    }

private:
    static float weight(int fixed_point) {
        return static_cast<float>(fixed_point) / static_cast<float>(1 << detail::Resampling::fraction_bits);
    }
};

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon
