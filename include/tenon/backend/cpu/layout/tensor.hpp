#pragma once
// IWYU pragma: private, include <tenon/inference.hpp>

// Where a tensor is in an arena: blocks of 16 channels, each block a map of pixels with a border of zeros (NCHW16c).

#include <tenon/backend/cpu/layout/channel_block.hpp>
#include <tenon/backend/cpu/simd/vector.hpp>
#include <tenon/backend/shared/namespaces.hpp>
#include <tenon/core/shape.hpp>

namespace tenon::cpu {

/// The place of one image's tensor in its arena. A pixel of a block of 16 channels is one cache line of floats;
/// channels after the last are zero. The border is as wide as the widest padding of any reader and holds zeros, which
/// the tensor's writer writes too, so no convolution has code for edges. A flat vector is a map of one pixel.
///
/// A planar tensor (the copy of the input that a first convolution reads) has one float per pixel and one plane per
/// channel.
struct Tensor {
    long offset = -1;  ///< of the first float, in floats from the start of an image's arena; -1: no such tensor
    int channels = 0, height = 1, width = 1;
    int top = 0, left = 0, bottom = 0, right = 0;  ///< border, in pixels
    bool planar = false;
    int row_words = 0;   ///< of a planar tensor whose pixels are not whole floats (quantized/step.hpp); else 0
    int strip_rows = 0;  ///< of a value that is never complete (see run_chain): rows in a worker's scratch; else 0

    constexpr bool exists() const { return offset >= 0; }
    constexpr bool is_strip() const { return strip_rows > 0; }
    constexpr int planes() const { return planar ? channels : channel_blocks(channels); }
    constexpr int pixel() const { return planar ? 1 : channel_block; }
    constexpr int row() const { return row_words > 0 ? row_words : (left + width + right) * pixel(); }
    constexpr int plane() const { return (top + (is_strip() ? strip_rows : height) + bottom) * row(); }
    constexpr long floats() const { return long{planes()} * plane(); }
    /// The offset of pixel (0, 0), inside the border.
    constexpr long origin() const { return offset + long{top} * row() + left * pixel(); }
    constexpr bool has_border() const { return top + left + bottom + right > 0; }
    constexpr int pixels() const { return height * width; }

    /// Whether two tensors are laid out alike, so that one may take the other's place.
    constexpr bool same_form(const Tensor& other) const {
        return channels == other.channels && height == other.height && width == other.width && top == other.top &&
               left == other.left && bottom == other.bottom && right == other.right && planar == other.planar &&
               row_words == other.row_words;
    }
};

inline namespace TENON_ISA_NAMESPACE {
/// Writes the zeros of a tensor's border for planes [begin, end); `image` is the start of the image's arena.
inline void zero_border(const Tensor& tensor, float* image, int begin, int end) {
    const int row = tensor.row(), rows = tensor.top + tensor.height + tensor.bottom;
    const int left = tensor.left * tensor.pixel(), right = tensor.right * tensor.pixel();
    const auto clear = [](float* from, long count) {
        for (long i = 0; i < count; ++i) from[i] = 0.0f;
    };
    for (int plane = begin; plane < end; ++plane) {
        float* p = image + tensor.offset + long{plane} * tensor.plane();
        clear(p, long{tensor.top} * row);
        clear(p + long{rows - tensor.bottom} * row, long{tensor.bottom} * row);
        for (int y = tensor.top; y < rows - tensor.bottom; ++y) {
            clear(p + long{y} * row, left);
            clear(p + long{y + 1} * row - right, right);
        }
    }
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::cpu
