#pragma once
// IWYU pragma: private, include <tenon/data.hpp>

// Resizing samples of float with antialiasing, as PIL's Image.resize does for images of mode F: sums in double, rows
// first, and the image between the two passes in float. Samples have any range.

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <vector>

#include <tenon/core/index.hpp>
#include <tenon/core/isa.hpp>
#include <tenon/image/image_view.hpp>
#include <tenon/image/resize.hpp>

namespace tenon::detail {
inline namespace TENON_ISA_NAMESPACE {

/// Samples of float, channel by channel: 1 or 3 channels.
struct FloatPlanes {
    std::vector<float> samples;
    int height = 0, width = 0, channels = 0;

    float* row(int channel, int y) { return samples.data() + row_offset(channel, y); }
    const float* row(int channel, int y) const { return samples.data() + row_offset(channel, y); }

    Image::View view(ChannelOrder order) const {
        return Image::View::planar(samples.data(), height, width, channels, order);
    }

private:
    std::size_t row_offset(int channel, int y) const {
        return (index(channel) * index(height) + index(y)) * index(width);
    }
};

inline FloatPlanes float_planes(int height, int width, int channels) {
    return {std::vector<float>(index(height) * index(width) * index(channels)), height, width, channels};
}

/// The rows of floats, wherever they are, resampled to `width` samples.
template <class Once = void>
FloatPlanes resize_width(const Image::View& source, int width, ResizeFilter filter) {
    FloatPlanes target = float_planes(source.height, width, source.channels == 1 ? 1 : 3);
    const ResamplingBy<double> resampling(source.width, width, filter);
    std::vector<float> line(index(source.width));
    for (int channel = 0; channel < target.channels; ++channel)
        for (int y = 0; y < source.height; ++y) {
            const std::byte* sample = source.data + channel * source.channel_step + y * source.row_step;
            for (float& value : line) {
                std::memcpy(&value, sample, sizeof value);
                sample += source.pixel_step;
            }
            float* const result = target.row(channel, y);
            for (int x = 0; x < width; ++x) {
                const auto window = resampling.window(x);
                const float* samples = line.data() + window.first;
                double sum = 0;
                for (const double weight : window.weights) sum += double{*samples++} * weight;
                result[x] = static_cast<float>(sum);
            }
        }
    return target;
}

template <class Once = void>
FloatPlanes resize_height(const FloatPlanes& source, int height, ResizeFilter filter) {
    FloatPlanes target = float_planes(height, source.width, source.channels);
    const ResamplingBy<double> resampling(source.height, height, filter);
    std::vector<double> sums(index(source.width));
    for (int channel = 0; channel < source.channels; ++channel)
        for (int y = 0; y < height; ++y) {
            const auto window = resampling.window(y);
            std::fill(sums.begin(), sums.end(), 0.0);
            int row = window.first;
            for (const double weight : window.weights) {
                const float* samples = source.row(channel, row++);
                for (double& sum : sums) sum += double{*samples++} * weight;
            }
            float* result = target.row(channel, y);
            for (const double sum : sums) *result++ = static_cast<float>(sum);
        }
    return target;
}

/// Floats in memory resized to `height` x `width`; alpha is dropped.
template <class Once = void>
FloatPlanes resize_floats(const Image::View& source, int height, int width, ResizeFilter filter) {
    FloatPlanes narrow = resize_width(source, width, filter);
    return source.height == height ? narrow : resize_height(narrow, height, filter);
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::detail
