#pragma once
// IWYU pragma: private, include <tenon/cuda.hpp>

// The addresses that steps run on, and the arguments that kernels take from a step and a frame.

#include <cstdint>

#include <tenon/backend/cuda/kernels/conv_loader.hpp>
#include <tenon/backend/cuda/kernels/map.hpp>
#include <tenon/backend/cuda/plan/step.hpp>

namespace tenon::cuda {

/// The addresses a step runs on, all on the device.
template <class Driver>
struct Frame {
    Driver* driver = nullptr;
    unsigned char* arena = nullptr;
    const unsigned char* weights = nullptr;
    const float* input = nullptr;  ///< the user's images, unless they are in bytes
    float* output = nullptr;       ///< the user's results
    float* partials = nullptr;     ///< scratch for split sums
    unsigned* tickets = nullptr;   ///< zeros: counters of the tiles that are split
    int images = 1;
    const std::uint8_t* bytes = nullptr;  ///< the user's images in bytes, pixel by pixel
    const float* byte_scale = nullptr;    ///< of each of their channels, followed by the shifts
};

/// Launches a step's kernels.
template <class Driver>
using StepFunction = void (*)(const Step&, const Frame<Driver>&);

inline namespace TENON_ISA_NAMESPACE {

/// The address of a tensor in a frame; null if it doesn't exist.
template <class NumberType, class Driver>
NumberType* address(const Frame<Driver>& frame, const Tensor& tensor) {
    if (!tensor.exists()) return nullptr;
    return reinterpret_cast<NumberType*>(frame.arena) + tensor.offset * frame.images;
}

/// The floats at an offset, in bytes, in the arena of weights; null for -1.
template <class Driver>
const float* floats(const Frame<Driver>& frame, long offset) {
    return offset < 0 ? nullptr : reinterpret_cast<const float*>(frame.weights + offset);
}

/// Sets a kernel's arguments for the window that it moves over a map.
template <class Arguments>
void set_window(Arguments& arguments, const Window& window) {
    if constexpr (requires { arguments.kernel_height; }) arguments.kernel_height = window.kernel_height;
    arguments.kernel_width = window.kernel_width;
    arguments.stride_height = window.stride_height;
    arguments.stride_width = window.stride_width;
    arguments.top = window.top;
    arguments.left = window.left;
}

/// The arguments of a step's epilogue.
template <class NumberType, class Driver>
EpilogueArguments epilogue_arguments(const Step& step, const Frame<Driver>& frame) {
    const Tensor& result = step.result();
    EpilogueArguments arguments{};
    arguments.shift = floats(frame, step.shift);
    arguments.residual = address<NumberType>(frame, step.residual);
    arguments.target = address<NumberType>(frame, step.target);
    arguments.activated = address<NumberType>(frame, step.activated);
    arguments.scale = floats(frame, step.activated_scale);
    arguments.channels = result.channels;
    arguments.height = result.height;
    arguments.width = result.width;
    arguments.residual_height = step.residual.height;
    arguments.residual_width = step.residual.width;
    arguments.residual_stride = step.residual_stride;
    arguments.relu = step.relu;
    arguments.activated_relu = step.activated_relu;
    return arguments;
}

/// The arguments of a convolution or linear layer, without tile and splits.
template <class NumberType, class Driver>
ConvArguments conv_arguments(const Step& step, const Frame<Driver>& frame) {
    const Tensor& result = step.result();
    ConvArguments arguments{};
    arguments.terms_used = step.terms[1].source.exists() ? 2 : 1;
    for (int i = 0; i < arguments.terms_used; ++i) {
        const Term& from = step.terms[i];
        ConvTermArguments& to = arguments.terms[i];
        to.source = address<NumberType>(frame, from.source);
        to.weights = frame.weights + from.weights;
        to.channels = from.source.pitch;
        to.group_channels = from.group_channels;
        to.height = from.source.height;
        to.width = from.source.width;
        set_window(to, from.window);
        to.depth = from.depth;
    }
    arguments.pixels = static_cast<int>(frame.images * result.pixels());
    arguments.height = result.height;
    arguments.width = result.width;
    arguments.groups = step.groups;
    arguments.group_outputs = result.channels / step.groups;
    arguments.partials = frame.partials;
    arguments.epilogue = epilogue_arguments<NumberType>(step, frame);
    const float* const shift = arguments.epilogue.shift;
    arguments.rounded_shift = shift && sizeof(NumberType) < sizeof(float) ? shift + result.channels : shift;
    return arguments;
}

/// Launches a map body, one thread per index.
template <class Body, class Driver>
void launch_map(Driver& driver, const Body& body) {
    driver.template launch<MapKernel<Body>>(MapKernel<Body>::grid(body), body);
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::cuda
