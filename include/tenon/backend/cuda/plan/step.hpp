#pragma once
// IWYU pragma: private, include <tenon/inference.hpp>

// A step on CUDA: one call of a kernel and everything it needs to know except addresses and the batch.

#include <tenon/backend/cuda/language/number.hpp>
#include <tenon/backend/shared/namespaces.hpp>
#include <tenon/program/program.hpp>

namespace tenon::cuda {

/// The place of a value: pixel by pixel (NHWC), `pitch` channels per pixel, the images of a batch one after another.
/// `offset` is in scalars of one image; a batch of n images begins at n * offset, so one plan serves every batch.
struct Tensor {
    int channels = 0, pitch = 0;
    int height = 1, width = 1;
    long offset = -1;

    constexpr bool exists() const { return channels > 0; }
    constexpr long pixels() const { return long{height} * width; }
    constexpr long scalars() const { return pixels() * pitch; }
    constexpr bool same_form(const Tensor& other) const {
        return channels == other.channels && pitch == other.pitch && height == other.height && width == other.width;
    }
};

/// The channels that an image of fewer is stored with, the others zero, if its only readers are convolutions without
/// groups: so a pixel is loaded at once.
inline constexpr int padded_input = 4;

/// The tensor of a value: maps are stored pixel by pixel. The plan says where it is, and pads images.
constexpr Tensor layout_of(Shape shape) {
    Tensor tensor{.channels = shape.channels, .pitch = shape.channels};
    if (!shape.is_flat()) {
        tensor.height = shape.height;
        tensor.width = shape.width;
    }
    return tensor;
}

/// One source of a convolution or linear layer; a linear layer is a convolution of a map of one pixel, and one of a
/// bordered image a convolution of rows (ImageBorder).
struct Term {
    Tensor source{};
    Window window{};
    int layer = -1, norm = -1;  ///< LayerInfo of the convolution and of the batch norm folded into it
    int inputs = 0;             ///< channels of a group of the convolution
    int group_channels = 0;     ///< channels of a group of the step, padding included
    int depth = 0;              ///< products per output
    long weights = -1;          ///< offset in the arena of weights, in bytes
    Tensor map{};               ///< of a linear layer: the map that is flattened into its source
    int row = 0, row_taps = 0;  ///< of a bordered image: numbers and taps of a window's row; else 0
};

/// A step of a network's program. Offsets into the arena of weights are in bytes; -1: there is none.
struct Step {
    OpKind kind{};
    int op = 0;  ///< index into the optimized program
    Term terms[2]{};
    Tensor residual{}, target{}, activated{};
    int residual_stride = 1;
    int activated_norm = -1;
    bool relu = false, activated_relu = false;
    int groups = 1;
    int vector = 1;             ///< channels of a source that are loaded at once
    int output_vector = 1;      ///< channels of the result that are stored at once
    long shift = -1;            ///< one float per output channel, added to the sums; in 16 bits then as many numbers
    long activated_scale = -1;  ///< one float per output channel, followed by as many shifts

    constexpr bool is_product() const { return traits_of(kind).is_product; }
    constexpr const Tensor& source() const { return terms[0].source; }
    constexpr const Window& window() const { return terms[0].window; }
    /// The tensor whose shape is the step's output.
    constexpr const Tensor& result() const { return target.exists() ? target : activated; }
    /// Products per output.
    constexpr int depth() const { return terms[0].depth + (terms[1].source.exists() ? terms[1].depth : 0); }
};

}  // namespace tenon::cuda
