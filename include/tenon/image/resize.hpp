#pragma once
// IWYU pragma: private, include <tenon/data.hpp>

// Resizing with antialiasing, bit for bit like PIL's Image.resize.
//
// A filter is stretched by the reduction factor, so that every source pixel counts when an image shrinks. Rows are
// resampled first, then columns; weights are fixed-point numbers with 22 bits after the point, and the image between
// the two passes is rounded to 8 bits.

#include <algorithm>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <numbers>
#include <span>
#include <string>
#include <vector>

#include <tenon/core/error.hpp>
#include <tenon/core/index.hpp>
#include <tenon/core/isa.hpp>
#include <tenon/core/sentence.hpp>
#include <tenon/core/span_of.hpp>
#include <tenon/image/image.hpp>

namespace tenon {

/// The function that weights source pixels by their distance.
enum class ResizeFilter {
    bilinear,  ///< a triangle over 2 source pixels
    bicubic,   ///< Keys' cubic with a = -0.5 over 4 source pixels
    lanczos    ///< a windowed sinc over 6 source pixels
};

namespace detail {

/// Resizing refuses to make images larger than this: a file of a few bytes may be one pixel high and millions wide, and
/// resizing its shorter side would take gigabytes. It is also read_image's default limit.
inline constexpr std::int64_t max_resized_pixels = 178'956'970;

}  // namespace detail

namespace detail {
inline namespace TENON_ISA_NAMESPACE {

/// The distance, in source pixels when enlarging, from which on the filter is 0.
inline double filter_support(ResizeFilter filter) {
    switch (filter) {
        case ResizeFilter::bilinear:
            return 1;
        case ResizeFilter::bicubic:
            return 2;
        case ResizeFilter::lanczos:
            return 3;
    }
    detail::throw_error({"expected a ResizeFilter, found the value ", static_cast<int>(filter)});
}

inline double sinc(double x) {
    if (x == 0) return 1;
    x *= std::numbers::pi;
    return std::sin(x) / x;
}

inline double filter_value(ResizeFilter filter, double distance) {
    const double x = std::abs(distance);
    if (x >= filter_support(filter)) return 0;
    switch (filter) {
        case ResizeFilter::bilinear:
            return 1 - x;
        case ResizeFilter::bicubic: {
            constexpr double a = -0.5;
            return x < 1 ? ((a + 2) * x - (a + 3)) * x * x + 1 : (((x - 5) * x + 8) * x - 4) * a;
        }
        case ResizeFilter::lanczos:
            return sinc(distance) * sinc(distance / 3);
    }
    return 0;
}

/// How one axis is resampled: target sample i is the sum of window(i)'s weights times the source samples from `first`
/// on.
///
/// Example: 4 samples to 2, bilinear -> window(0) is first 0, weights 3/7, 3/7, 1/7; window(1) is first 1, weights 1/7,
/// 3/7, 3/7.
///
/// With weights of double, for samples of float, 4 samples to 2 have 0.43, 0.43, 0.14 and 0.14, 0.43, 0.43.
template <class Weight>
class ResamplingBy {
public:
    static constexpr int fraction_bits = 22;
    static constexpr int one_half = 1 << (fraction_bits - 1);

    struct Window {
        int first = 0;
        std::span<const Weight> weights;
    };

    ResamplingBy(int source_size, int target_size, ResizeFilter filter) : starts_{0} {
        const double scale = static_cast<double>(source_size) / target_size;
        const double stretch = std::max(scale, 1.0);
        const double support = filter_support(filter) * stretch;
        std::vector<double> values;
        for (int i = 0; i < target_size; ++i) {
            const double center = (i + 0.5) * scale;
            const int first = std::max(0, static_cast<int>(std::floor(center - support + 0.5)));
            const int last = std::min(source_size, static_cast<int>(std::floor(center + support + 0.5)));
            values.clear();
            double sum = 0;
            for (int j = first; j < last; ++j) {
                values.push_back(filter_value(filter, (j - center + 0.5) * (1.0 / stretch)));
                sum += values.back();
            }
            for (const double value : values) weights_.push_back(stored(sum != 0 ? value / sum : value));
            firsts_.push_back(first);
            starts_.push_back(weights_.size());
        }
    }

    Window window(int i) const {
        const auto index = detail::index(i);
        return {firsts_[index], detail::span_of(weights_).subspan(starts_[index], starts_[index + 1] - starts_[index])};
    }

    static std::uint8_t rounded(int sum) { return static_cast<std::uint8_t>(std::clamp(sum >> fraction_bits, 0, 255)); }

private:
    static Weight stored(double weight) {
        if constexpr (std::same_as<Weight, double>)
            return weight;
        else
            return static_cast<Weight>(weight * (1 << fraction_bits) + (weight < 0 ? -0.5 : 0.5));
    }

    std::vector<int> firsts_;
    std::vector<std::size_t> starts_;
    std::vector<Weight> weights_;
};
using Resampling = ResamplingBy<int>;

/// The rows of an image of 8 bits per sample, pixel by pixel, wherever they are.
struct PixelRows {
    const std::uint8_t* data = nullptr;
    std::ptrdiff_t step = 0;  // in bytes
    int height = 0, width = 0, channels = 0;

    const std::uint8_t* row(int y) const { return data + y * step; }
};

inline PixelRows rows_of(const Image& image) {
    return {image.pixels().data(), static_cast<std::ptrdiff_t>(image.row_size()), image.height(), image.width(),
            image.channels()};
}

template <int Channels>
void resize_rows(const PixelRows& source, Image& target, const Resampling& resampling) {
    for (int y = 0; y < target.height(); ++y) {
        const std::uint8_t* row = source.row(y);
        std::uint8_t* result = target.row(y).data();
        for (int x = 0; x < target.width(); ++x) {
            const Resampling::Window window = resampling.window(x);
            const std::uint8_t* samples = row + detail::index(window.first) * Channels;
            int sums[array_bound<Channels>];
            std::fill_n(sums, Channels, Resampling::one_half);
            for (const int weight : window.weights) {
                for (int channel = 0; channel < Channels; ++channel) sums[channel] += samples[channel] * weight;
                samples += Channels;
            }
            for (const int sum : sums) *result++ = Resampling::rounded(sum);
        }
    }
}

template <class Once = void>
Image resize_width(const PixelRows& source, int width, ResizeFilter filter) {
    const Resampling resampling(source.width, width, filter);
    Image target(source.height, width, source.channels);
    source.channels == 1 ? resize_rows<1>(source, target, resampling) : resize_rows<3>(source, target, resampling);
    return target;
}

template <class Once = void>
Image resize_height(const PixelRows& source, int height, ResizeFilter filter) {
    const Resampling resampling(source.height, height, filter);
    Image target(height, source.width, source.channels);
    std::vector<int> sums(target.row_size());
    for (int y = 0; y < height; ++y) {
        const Resampling::Window window = resampling.window(y);
        std::fill(sums.begin(), sums.end(), Resampling::one_half);
        int row = window.first;
        for (const int weight : window.weights) {
            const std::uint8_t* samples = source.row(row++);
            for (std::size_t i = 0; i < sums.size(); ++i) sums[i] += samples[i] * weight;
        }
        std::transform(sums.begin(), sums.end(), target.row(y).begin(), &Resampling::rounded);
    }
    return target;
}

/// Rows first, then columns; an axis that has its length already is left alone.
template <class Once = void>
Image resize_both(const PixelRows& source, int height, int width, ResizeFilter filter) {
    if (source.width == width) return resize_height(source, height, filter);
    Image narrow = resize_width(source, width, filter);
    return source.height == height ? narrow : resize_height(rows_of(narrow), height, filter);
}

template <class Once = void>
void check_resized_size(const PixelRows& image, std::int64_t height, std::int64_t width) {
    // Rows are resampled first, so an image of the old height and the new width exists in between.
    const std::int64_t rows = std::max<std::int64_t>(height, image.height);
    if (height > max_resized_pixels || width > max_resized_pixels || rows * width > max_resized_pixels)
        detail::throw_error({"expected an image of at most ", max_resized_pixels,
                             " pixels after resizing, found one of ", image.height, " x ", image.width,
                             " pixels to be resized to ", height, " x ", width});
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace detail

inline namespace TENON_ISA_NAMESPACE {

/// The image resampled to `height` x `width` pixels. Equals PIL's `image.resize((width, height), filter)` bit for bit;
/// for an image that becomes wider and lower, that of before Pillow 13.0, which resamples columns first. Throws
/// tenon::Error when the image is empty, a size isn't positive, or the result would have more than 178,956,970 pixels.
template <class Once = void>
Image resize(const Image& image, int height, int width, ResizeFilter filter = ResizeFilter::bilinear) {
    if (image.empty()) throw Error("expected an image to resize, found one without pixels");
    if (height <= 0 || width <= 0)
        detail::throw_error({"expected positive sizes to resize an image to, found ", height, " x ", width, " pixels"});
    const detail::PixelRows rows = detail::rows_of(image);
    detail::check_resized_size(rows, height, width);
    if (height == image.height() && width == image.width()) return image;
    return detail::resize_both(rows, height, width, filter);
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon
