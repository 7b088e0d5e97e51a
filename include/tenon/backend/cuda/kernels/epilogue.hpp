#pragma once
// IWYU pragma: private, include <tenon/cuda.hpp>

// The epilogue: what every kernel does to a computed value before it stores it: residual, ReLU, activated second
// result.

#include <tenon/backend/cuda/language/number.hpp>

namespace tenon::cuda {

/// The addresses and options of an operation's epilogue (Op in program/program.hpp). Maps are stored pixel by pixel,
/// the channels of a pixel adjacent.
struct EpilogueArguments {
    const float* shift = nullptr;  ///< one per channel, added first
    const void* residual = nullptr;
    void* target = nullptr;
    void* activated = nullptr;
    const float* scale = nullptr;  ///< of the activated result, one per channel, followed by as many shifts
    int channels = 0;
    int height = 1, width = 1;                    ///< of the result
    int residual_height = 1, residual_width = 1;  ///< read at every n-th pixel
    int residual_stride = 1;
    bool relu = false, activated_relu = false;
};

inline namespace TENON_ISA_NAMESPACE {

/// What an epilogue reads that is the same for all pixels, for `Count` channels.
template <int Count>
struct EpilogueChannels {
#if defined(__CUDA_ARCH__)
    float shift[array_bound<Count>], scale[array_bound<Count>], activated_shift[array_bound<Count>];
#else
    // GCC warns that they may be read although there are none: it can't see that the arguments stay what they are.
    float shift[array_bound<Count>]{}, scale[array_bound<Count>]{}, activated_shift[array_bound<Count>]{};
#endif

    TENON_DEVICE EpilogueChannels(const EpilogueArguments& arguments, int channel) {
        if (arguments.shift) load_floats(arguments.shift + channel, shift);
        if (arguments.activated) {
            load_floats(arguments.scale + channel, scale);
            load_floats(arguments.scale + arguments.channels + channel, activated_shift);
        }
    }
};

/// The pixel of the residual that is added to a pixel; both are counted over the images of a batch.
TENON_DEVICE long residual_pixel(const EpilogueArguments& arguments, long pixel) {
    if (arguments.residual_stride == 1) return pixel;
    const int map = arguments.height * arguments.width;
    const int image = static_cast<int>(pixel / map), inside = static_cast<int>(pixel % map);
    const int y = inside / arguments.width, x = inside % arguments.width;
    return (long{image} * arguments.residual_height + y * arguments.residual_stride) * arguments.residual_width +
           x * arguments.residual_stride;
}

/// Loads `Count` channels of a pixel of the residual.
template <class NumberType, int Count>
TENON_DEVICE void load_residual(const EpilogueArguments& arguments, long pixel, int channel, float (&residual)[Count]) {
    load_floats(static_cast<const NumberType*>(arguments.residual) + pixel * arguments.channels + channel, residual);
}

/// Applies the epilogue to `Count` channels of a pixel, with what was loaded for it, and stores them.
template <class NumberType, int Count>
TENON_DEVICE void finish_epilogue(const EpilogueArguments& arguments, const EpilogueChannels<Count>& channels,
                                  const float (&residual)[Count], long pixel, int channel, float (&values)[Count]) {
    if (arguments.shift) {
        TENON_CUDA_UNROLL
        for (int i = 0; i < Count; ++i) values[i] += channels.shift[i];
    }
    if (arguments.residual) {
        TENON_CUDA_UNROLL
        for (int i = 0; i < Count; ++i) values[i] += residual[i];
    }
    if (arguments.relu) {
        TENON_CUDA_UNROLL
        for (int i = 0; i < Count; ++i) values[i] = positive_part(values[i]);
    }
    const long place = pixel * arguments.channels + channel;
    if (arguments.target) store_floats(values, static_cast<NumberType*>(arguments.target) + place);
    if (arguments.activated) {
        TENON_CUDA_UNROLL
        for (int i = 0; i < Count; ++i) {
            values[i] = values[i] * channels.scale[i] + channels.activated_shift[i];
            if (arguments.activated_relu) values[i] = positive_part(values[i]);
        }
        store_floats(values, static_cast<NumberType*>(arguments.activated) + place);
    }
}

/// Applies the epilogue to `Count` channels of a pixel and stores them.
template <class NumberType, int Count>
TENON_DEVICE void apply_epilogue(const EpilogueArguments& arguments, long pixel, int channel, float (&values)[Count]) {
    const EpilogueChannels<Count> channels{arguments, channel};
    float residual[Count];
    if (arguments.residual) load_residual<NumberType>(arguments, residual_pixel(arguments, pixel), channel, residual);
    finish_epilogue<NumberType>(arguments, channels, residual, pixel, channel, values);
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::cuda
