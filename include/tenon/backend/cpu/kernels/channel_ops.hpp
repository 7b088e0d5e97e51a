#pragma once
// IWYU pragma: private, include <tenon/inference.hpp>

// Steps of gated and parameterless shortcuts: products, functions of each element, channels of zeros.

#include <cstring>

#include <tenon/backend/cpu/kernels/pointwise.hpp>
#include <tenon/backend/shared/elementwise.hpp>

namespace tenon::cpu {
inline namespace TENON_ISA_NAMESPACE {

/// The product of two maps, element by element.
template <class End = Epilogue, class AnyStep = Step>
void run_multiply(const AnyStep& step, const Frame& frame) {
    const Tensor &a = step.terms[0].source, &b = step.terms[1].source;
    for_each_plane(step, frame, [&](int image, int plane) {
        const auto row = [&](const Tensor& tensor, int y) {
            return End::source_plane(tensor, frame.image(image), plane) + long{y} * tensor.row();
        };
        const End epilogue{step, frame, image, plane};
        for (int y = 0; y < a.height; ++y)
            for (int x = 0; x < a.width; ++x)
                for (int lane = 0; lane < channel_block; lane += vector_width)
                    epilogue(y, x, lane,
                             multiply(End::source_vector(row(a, y) + x * channel_block, lane),
                                      End::source_vector(row(b, y) + x * channel_block, lane)));
    });
}

/// A function of each element: `f(from, to, channels)` computes those of one pixel. Channels after the last stay zero,
/// whatever the function makes of zero.
template <class End, class AnyStep, class F>
void map_elements(const AnyStep& step, const Frame& frame, const F& f) {
    const Tensor& source = step.source();
    for_each_plane(step, frame, [&](int image, int plane) {
        const float* from = frame.image(image) + source.origin() + long{plane} * source.plane();
        const int channels = std::min(channel_block, source.channels - plane * channel_block);
        const End epilogue{step, frame, image, plane};
        alignas(64) float pixel[channel_block]{};
        for (int y = 0; y < source.height; ++y)
            for (int x = 0; x < source.width; ++x) {
                f(from + long{y} * source.row() + x * channel_block, pixel, channels);
                for (int lane = 0; lane < channel_block; lane += vector_width) epilogue(y, x, lane, load(pixel + lane));
            }
    });
}

/// An operation of backend/shared/elementwise.hpp.
template <OpKind Kind, class End = Epilogue, class AnyStep = Step>
void run_elementwise(const AnyStep& step, const Frame& frame) {
    map_elements<End>(step, frame, [](const float* from, float* to, int channels) {
        for (int c = 0; c < channels; ++c) to[c] = elementwise_value(Kind, from[c]);
    });
}

/// A user's function.
template <class End = Epilogue, class AnyStep = Step>
void run_user_function(const AnyStep& step, const Frame& frame) {
    map_elements<End>(step, frame, [&](const float* from, float* to, int channels) {
        step.function->floats.value(from, to, channels);
    });
}

/// The kernel of an element-wise operation.
template <OpKind Kind, class End = Epilogue, class AnyStep = Step>
consteval auto elementwise_kernel() {
    if constexpr (Kind == OpKind::elementwise)
        return &run_user_function<End, AnyStep>;
    else
        return &run_elementwise<Kind, End, AnyStep>;
}

/// Every n-th pixel, with channels of zeros before and after its own. The source's channels move to other places in
/// their blocks, so this goes float by float.
template <class End = Epilogue, class AnyStep = Step>
void run_pad_channels(const AnyStep& step, const Frame& frame) {
    const Tensor &source = step.source(), &result = step.result();
    const Window& window = step.window();
    const int before = (result.channels - source.channels) / 2;
    const bool by_quads = before % 4 == 0 && source.channels % 4 == 0;
    for_each_plane(step, frame, [&](int image, int plane) {
        const float* from = frame.image(image) + source.origin();
        const End epilogue{step, frame, image, plane};
        const int first = plane * channel_block - before;  // the source's channel that becomes the plane's first
        const int begin = std::max(0, -first), end = std::min<int>(channel_block, source.channels - first);
        constexpr int group = 16;  // pixels that are moved before the first is read again: by then it has been stored
        alignas(64) float pixels[group][channel_block]{};
        for (int y = 0; y < result.height; ++y)
            for (int x_begin = 0; x_begin < result.width; x_begin += group) {
                const int count = std::min(group, result.width - x_begin);
                for (int i = 0; i < count; ++i) {
                    const float* pixel = from + long{y} * window.stride_height * source.row() +
                                         long{x_begin + i} * window.stride_width * channel_block;
                    const auto at = [&](int c) {
                        return pixel + long{(first + c) / channel_block} * source.plane() + (first + c) % channel_block;
                    };
                    if (by_quads)
                        for (int c = begin; c < end; c += 4) std::memcpy(&pixels[i][c], at(c), 4 * sizeof(float));
                    else
                        for (int c = begin; c < end; ++c) pixels[i][c] = *at(c);
                }
                for (int i = 0; i < count; ++i)
                    for (int lane = 0; lane < channel_block; lane += vector_width)
                        epilogue(y, x_begin + i, lane, load(pixels[i] + lane));
            }
    });
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::cpu
