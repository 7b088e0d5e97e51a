#pragma once
// IWYU pragma: private, include <tenon/inference.hpp>

// The border of an image: how it is stored for a convolution that then reads it 16 bytes at a time.

#include <tenon/backend/cuda/plan/step.hpp>
#include <tenon/core/min_max.hpp>
#include <tenon/core/round.hpp>

namespace tenon::cuda {

/// How an image is stored with a border of zeros, so that a row of a window is a row of numbers without gaps that
/// begins at a multiple of 16 bytes: its convolution reads 16 bytes at once, where pixels of four numbers have 8, and
/// no tap is outside. What fills a row up are further pixels, whose weights are zeros; so a NaN reaches the windows
/// beside its own, too.
///
///     3 x 224 x 224, a window of 7 x 7, stride 2, padding 3
///     -> 229 x 230 pixels of 4 numbers, read as 229 x 115 pixels of 8; a window is 7 rows of 28 numbers and 4 more
struct ImageBorder {
    int row = 0, row_taps = 0;  ///< numbers and taps of a window's row; 0: there is no border
    int top = 0, left = 0;      ///< where the image begins

    constexpr bool exists() const { return row > 0; }

    /// Whether an image has one if a convolution of this window is all that reads it: where it has two or more columns
    /// and an even stride, in 16 bits.
    static constexpr bool is_for(const Window& window, int number_bytes) {
        return number_bytes == 2 && window.kernel_width >= 2 && window.stride_width % 2 == 0;
    }

    /// Gives an image a border for the window that a convolution with this result moves over it.
    constexpr void plan(Tensor& image, const Window& window, const Tensor& result, int number_bytes) {
        row_taps = window.kernel_width;
        row = round_up(window.kernel_width * padded_input, 16 / number_bytes);
        top = window.top;
        left = window.left;
        image.height = std::max(image.height + top, (result.height - 1) * window.stride_height + window.kernel_height);
        image.width = std::max(image.width + left, (result.width - 1) * window.stride_width + row / padded_input);
        image.width = round_up(image.width, window.stride_width);
    }

    /// Makes a term read the image with its border: a pixel of its source is as many of the image as the stride, and a
    /// tap a row of the window.
    constexpr void read(Term& term) const {
        const Window window = term.window;
        term.row = row;
        term.row_taps = row_taps;
        term.source.pitch *= window.stride_width;
        term.source.width /= window.stride_width;
        term.window = {};
        term.window.kernel_height = window.kernel_height;
        term.window.stride_height = window.stride_height;
    }
};

}  // namespace tenon::cuda
