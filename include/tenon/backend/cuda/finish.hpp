// What every kernel does to a finished value before it stores it: residual, ReLU, and the activated second result.
#pragma once

#include <tenon/backend/cuda/number.hpp>

namespace tenon::cuda {

/// The addresses and choices of Op's second part (program/program.hpp). Maps are stored pixel by pixel, the channels of
/// a pixel one after the other.
struct FinishArguments {
    const float* shift = nullptr;  ///< per channel, added first
    const void* residual = nullptr;
    void* target = nullptr;
    void* activated = nullptr;
    const float* scale = nullptr;  ///< per channel, of the activated result; as many shifts stand behind
    int channels = 0;
    int height = 1, width = 1;                    ///< of the result
    int residual_height = 1, residual_width = 1;  ///< read at every n-th pixel
    int residual_stride = 1;
    bool relu = false, activated_relu = false;
};

inline namespace TENON_ISA_NAMESPACE {

/// Stores `Count` channels of a pixel, counted over the images of a batch.
template <class NumberType, int Count>
TENON_DEVICE void finish(const FinishArguments& arguments, long pixel, int channel, float (&values)[Count]) {
    if (arguments.shift) {
        float shift[Count];
        load_floats(arguments.shift + channel, shift);
        TENON_CUDA_UNROLL
        for (int i = 0; i < Count; ++i) values[i] += shift[i];
    }
    if (arguments.residual) {
        long at = pixel;
        if (arguments.residual_stride > 1) {
            const int map = arguments.height * arguments.width;
            const int image = static_cast<int>(pixel / map), inside = static_cast<int>(pixel % map);
            const int y = inside / arguments.width, x = inside % arguments.width;
            at = (static_cast<long>(image) * arguments.residual_height + y * arguments.residual_stride) *
                     arguments.residual_width +
                 x * arguments.residual_stride;
        }
        float residual[Count];
        load_floats(static_cast<const NumberType*>(arguments.residual) + at * arguments.channels + channel, residual);
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
        float scale[Count], shift[Count];
        load_floats(arguments.scale + channel, scale);
        load_floats(arguments.scale + arguments.channels + channel, shift);
        TENON_CUDA_UNROLL
        for (int i = 0; i < Count; ++i) {
            values[i] = values[i] * scale[i] + shift[i];
            if (arguments.activated_relu) values[i] = positive_part(values[i]);
        }
        store_floats(values, static_cast<NumberType*>(arguments.activated) + place);
    }
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::cuda
