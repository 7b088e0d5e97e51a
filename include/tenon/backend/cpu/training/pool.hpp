#pragma once
// IWYU pragma: private, include <tenon/training.hpp>

// Gradients that go from a pixel to other pixels: pooling, subsampling, padding of channels.

#include <algorithm>

#include <tenon/backend/cpu/layout/training_step.hpp>
#include <tenon/backend/cpu/simd/mask.hpp>

namespace tenon::cpu {
inline namespace TENON_ISA_NAMESPACE {

/// Initializes a plane of the target with what is added to it, or zeros; its border with zeros.
inline void start_plane(const TrainingStep& step, const TrainingFrame& frame, int image, int plane) {
    const Tensor& target = step.target();
    for (int y = 0; y < target.height; ++y) {
        float* to = frame.at(target, image, plane, y, 0);
        const int floats = target.width * channel_block;
        if (!step.sum.exists())
            std::fill_n(to, floats, 0.0f);
        else if (const float* from = frame.at(step.sum, image, plane, y, 0); from != to)
            std::copy_n(from, floats, to);
    }
}

/// The same as scatter_maximum for a window that is inside the map; `x` and `to` are at its first pixel.
template <int Height, int Width>
TENON_INLINE void scatter_maximum_inside(const float* x, int x_row, float* to, int to_row, Vector gradient) {
    Vector values[array_bound<Height * Width>];
    TENON_UNROLL for (int tap = 0; tap < Height * Width; ++tap) values[tap] =
        load(x + tap / Width * x_row + tap % Width * channel_block);
    Vector largest = values[0], taken = zero();
    TENON_UNROLL for (int tap = 1; tap < Height * Width; ++tap) largest = maximum(largest, values[tap]);
    TENON_UNROLL for (int tap = 0; tap < Height * Width; ++tap) {
        const Vector mine = drop(equal(values[tap], largest), taken);
        taken = either(taken, mine);
        float* at = to + tap / Width * to_row + tap % Width * channel_block;
        store(at, add(load(at), keep(gradient, mine)));
    }
}

/// Adds a maximum's gradient to the first pixel, in row-major order, that holds it; padding's share is dropped.
inline void scatter_maximum(const TrainingStep& step, const TrainingFrame& frame, int image, int plane, int row,
                            int column, const Window& window) {
    const Tensor &x = step.source(), &target = step.target();
    const int top = row * window.stride_height - window.top, left = column * window.stride_width - window.left;
    const bool zeros = window.pad_value == PadValue::zero;
    if (window.kernel_height == 3 && window.kernel_width == 3 && top >= 0 && top + 3 <= x.height && left >= 0 &&
        left + 3 <= x.width) {  // after stems
        for (int lane = 0; lane < channel_block; lane += vector_width)
            scatter_maximum_inside<3, 3>(frame.at(x, image, plane, top, left) + lane, x.row(),
                                         frame.at(target, image, plane, top, left) + lane, target.row(),
                                         load(frame.at(step.gradient, image, plane, row, column) + lane));
        return;
    }
    for (int lane = 0; lane < channel_block; lane += vector_width) {
        const Vector gradient = load(frame.at(step.gradient, image, plane, row, column) + lane);
        Vector largest = zero(), taken = zero();
        bool begun = false;
        const auto for_each = [&](const auto& f) {
            for (int y = top; y < top + window.kernel_height; ++y)
                for (int i = left; i < left + window.kernel_width; ++i) {
                    const bool inside = y >= 0 && y < x.height && i >= 0 && i < x.width;
                    if (inside || zeros) f(y, i, inside);
                }
        };
        for_each([&](int y, int i, bool inside) {
            const Vector value = inside ? load(frame.at(x, image, plane, y, i) + lane) : zero();
            largest = begun ? maximum(largest, value) : value;
            begun = true;
        });
        for_each([&](int y, int i, bool inside) {
            const Vector value = inside ? load(frame.at(x, image, plane, y, i) + lane) : zero();
            const Vector mine = drop(equal(value, largest), taken);
            taken = either(taken, mine);
            if (!inside) return;
            float* to = frame.at(target, image, plane, y, i) + lane;
            store(to, add(load(to), keep(gradient, mine)));
        });
    }
}

/// Distributes an average's gradient over its window.
inline void scatter_average(const TrainingStep& step, const TrainingFrame& frame, int image, int plane, int row,
                            int column, const Window& window) {
    const Tensor& target = step.target();
    const int top = row * window.stride_height - window.top, left = column * window.stride_width - window.left;
    const int y_begin = std::max(top, 0), y_end = std::min(top + window.kernel_height, target.height);
    const int x_begin = std::max(left, 0), x_end = std::min(left + window.kernel_width, target.width);
    const int inside = (y_end - y_begin) * (x_end - x_begin);
    const int counted = window.pad_value == PadValue::zero ? window.taps() : inside;
    const Vector scale = broadcast(1.0f / static_cast<float>(counted));
    for (int lane = 0; lane < channel_block; lane += vector_width) {
        const Vector gradient = multiply(load(frame.at(step.gradient, image, plane, row, column) + lane), scale);
        for (int y = y_begin; y < y_end; ++y)
            for (int x = x_begin; x < x_end; ++x) {
                float* to = frame.at(target, image, plane, y, x) + lane;
                store(to, add(load(to), gradient));
            }
    }
}

/// The gradient of a pooling; a global one has the map as its window. For a subsampling (a strided 1x1 maximum), a
/// strided residual or a `spread`, the gradient goes to every n-th pixel.
inline void run_pool_gradient(const TrainingStep& step, const TrainingFrame& frame) {
    const Tensor &target = step.target(), &gradient = step.gradient;
    const bool global = traits_of(step.step.kind).is_global_pooling;
    const bool pool = step.kind == TrainingKind::pool_gradient;
    const bool average = !traits_of(step.step.kind).is_maximum;
    Window window = step.step.window();
    if (global)
        window = {.kernel_height = target.height, .kernel_width = target.width, .pad_value = PadValue::excluded};
    for_each_target_plane(frame, target, [&](int image, int plane) {
        start_plane(step, frame, image, plane);
        for (int row = 0; row < gradient.height; ++row)
            for (int column = 0; column < gradient.width; ++column) {
                if (pool && average) {
                    scatter_average(step, frame, image, plane, row, column, window);
                } else if (pool && step.source().exists()) {
                    scatter_maximum(step, frame, image, plane, row, column, window);
                } else {
                    float* to =
                        frame.at(target, image, plane, row * window.stride_height, column * window.stride_width);
                    const float* from = frame.at(gradient, image, plane, row, column);
                    for (int lane = 0; lane < channel_block; lane += vector_width)
                        store(to + lane, add(load(to + lane), load(from + lane)));
                }
            }
    });
}

/// The gradient of a padding of channels, float by float, as channels move to other places in their blocks.
inline void run_pad_channels_gradient(const TrainingStep& step, const TrainingFrame& frame) {
    const Tensor &target = step.target(), &gradient = step.gradient;
    const Window& window = step.step.window();
    const int before = (gradient.channels - target.channels) / 2;
    for_each_target_plane(frame, target, [&](int image, int plane) {
        start_plane(step, frame, image, plane);
        for (int c = 0; c < channel_block && plane * channel_block + c < target.channels; ++c) {
            const int channel = before + plane * channel_block + c;
            for (int y = 0; y < gradient.height; ++y)
                for (int x = 0; x < gradient.width; ++x)
                    frame.at(target, image, plane, y * window.stride_height, x * window.stride_width)[c] +=
                        frame.at(gradient, image, channel / channel_block, y, x)[channel % channel_block];
        }
    });
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::cpu
