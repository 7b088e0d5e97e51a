#pragma once
// IWYU pragma: private, include <tenon/cuda.hpp>

// The parameters of a convolution kernel: its spec at compile time, its arguments at each call.

#include <tenon/backend/cuda/kernels/epilogue.hpp>
#include <tenon/backend/shared/precision.hpp>

namespace tenon::cuda {

/// What changes a convolution kernel's code; only scalars, as nvcc requires.
struct ConvSpec {
    Precision precision = Precision::float32;
    int tile_pixels = 64, tile_outputs = 64;  ///< of a block
    int warp_pixels = 32, warp_outputs = 32;  ///< of a warp, with tensor cores
    int stages = 3;                           ///< tiles of the depth in shared memory
    int depth_bytes = 64;                     ///< of a tile of the depth
    int vector = 4;                           ///< channels of a source that are loaded at once
    int output_vector = 4;                    ///< channels of the result that are stored at once
    friend constexpr bool operator==(const ConvSpec&, const ConvSpec&) = default;

    constexpr bool tensor_cores() const { return precision != Precision::float32; }
    constexpr int warps() const {
        return tensor_cores() ? tile_pixels / warp_pixels * (tile_outputs / warp_outputs) : 8;
    }
};

/// One term of the sum: where its map and weights are.
struct ConvTermArguments {
    const void* source = nullptr;
    const void* weights = nullptr;
    int channels = 0, group_channels = 0;  ///< of a pixel of the source; of a group
    int height = 1, width = 1;
    int kernel_height = 1, kernel_width = 1, stride_height = 1, stride_width = 1, top = 0, left = 0;
    int depth = 0;  ///< products: taps * group_channels
};

/// The scalars of a convolution's call.
struct ConvArguments {
    ConvTermArguments terms[2];
    int terms_used = 1;
    int pixels = 0;  ///< of the result, over all images
    int height = 1, width = 1;
    int group_outputs = 0, groups = 1;
    int splits = 1;               ///< of the depth
    float* partials = nullptr;    ///< [split][pixel][output], if there are several splits
    unsigned* tickets = nullptr;  ///< one per tile of the result, 0 before and after; null: others add the splits
    EpilogueArguments epilogue{};
    const void* rounded_shift = nullptr;  ///< the epilogue's shift in the type of the maps, for libraries
};

}  // namespace tenon::cuda
