#pragma once
// IWYU pragma: private, include <tenon/data.hpp>

// Pixels that belong to somebody else: a camera's buffer, a cv::Mat, an array of another library.

#include <cstddef>
#include <cstdint>
#include <string>
#include <type_traits>

#include <tenon/core/error.hpp>
#include <tenon/core/isa.hpp>
#include <tenon/core/sentence.hpp>
#include <tenon/image/image.hpp>

namespace tenon {

/// The order of a color image's channels in a network's input or in memory.
enum class ChannelOrder { rgb, bgr };

inline namespace TENON_ISA_NAMESPACE {

/// Pixels as they are in memory, which must exist as long as the view. Steps are in bytes and may be negative, for rows
/// from bottom to top.
///
///     preprocess(Image::View::interleaved(mat.ptr(), mat.rows, mat.cols, 3, ChannelOrder::bgr, mat.step), options,
///     input);
struct Image::View {
    const std::byte* data = nullptr;  ///< the first sample of the upper left pixel
    int height = 0, width = 0;
    int channels = 3;               ///< 1 (gray), 3, or 4 whose last, alpha, is ignored
    std::ptrdiff_t row_step = 0;    ///< from a sample to the one below
    std::ptrdiff_t pixel_step = 0;  ///< from a sample to the one to its right
    std::ptrdiff_t channel_step = 0;
    ChannelOrder order = ChannelOrder::rgb;
    bool floats = false;  ///< whether samples are float instead of std::uint8_t; of any range, which `scale` maps

    /// Pixel by pixel (height x width x channels, "NHWC"), as in files and in most libraries. `row_step` of 0: no bytes
    /// between rows.
    template <class Sample>
    static View interleaved(const Sample* data, int height, int width, int channels,
                            ChannelOrder order = ChannelOrder::rgb, std::ptrdiff_t row_step = 0) {
        constexpr std::ptrdiff_t size = sizeof(Sample);
        return of(data, height, width, channels, order, row_step != 0 ? row_step : size * channels * width,
                  size * channels, size);
    }

    /// Channel by channel (channels x height x width, "NCHW"). `row_step` of 0: no bytes between rows; a channel's rows
    /// follow those of the one before.
    template <class Sample>
    static View planar(const Sample* data, int height, int width, int channels, ChannelOrder order = ChannelOrder::rgb,
                       std::ptrdiff_t row_step = 0) {
        constexpr std::ptrdiff_t size = sizeof(Sample);
        const std::ptrdiff_t step = row_step != 0 ? row_step : size * width;
        return of(data, height, width, channels, order, step, size, step * height);
    }

private:
    template <class Sample>
    static View of(const Sample* data, int height, int width, int channels, ChannelOrder order, std::ptrdiff_t row_step,
                   std::ptrdiff_t pixel_step, std::ptrdiff_t channel_step) {
        static_assert(std::is_same_v<Sample, std::uint8_t> || std::is_same_v<Sample, float>,
                      "an image's samples are std::uint8_t or float");
        return {reinterpret_cast<const std::byte*>(data),
                height,
                width,
                channels,
                row_step,
                pixel_step,
                channel_step,
                order,
                std::is_same_v<Sample, float>};
    }
};

}  // namespace TENON_ISA_NAMESPACE

namespace detail {
inline namespace TENON_ISA_NAMESPACE {

inline Image::View view_of(const Image& image) {
    return Image::View::interleaved(image.pixels().data(), image.height(), image.width(), image.channels());
}

/// Throws tenon::Error when there are no pixels, or rows overlap: a step that was meant in samples or pixels.
inline void check(const Image::View& view) {
    if (view.data == nullptr || view.height <= 0 || view.width <= 0 ||
        (view.channels != 1 && view.channels != 3 && view.channels != 4))
        detail::throw_error({"expected pixels of positive height and width and 1, 3 or 4 channels, found ",
                             (view.data == nullptr ? "a null pointer and " : ""), view.height, " x ", view.width,
                             " pixels with ", view.channels, " channels"});
    const std::ptrdiff_t row = view.pixel_step * view.width;
    if (view.height > 1 && view.row_step < row && view.row_step > -row)
        detail::throw_error({"expected rows of ", view.width, " pixels to be at least ", row,
                             " bytes apart, found a row_step of ", view.row_step, " bytes"});
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace detail

}  // namespace tenon
