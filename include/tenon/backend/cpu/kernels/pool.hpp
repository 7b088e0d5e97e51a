#pragma once
// IWYU pragma: private, include <tenon/inference.hpp>

// Pooling: over windows and over complete maps.

#include <tenon/backend/cpu/kernels/pointwise.hpp>
#include <tenon/core/min_max.hpp>

namespace tenon::cpu {
inline namespace TENON_ISA_NAMESPACE {

/// The largest value of a window that is inside the map, in row-major order; a NaN wins.
template <int Height, int Width, class End>
TENON_INLINE Vector largest_of_window(const float* corner, int lane, int row) {
    Vector value = End::source_vector(corner, lane);
    TENON_UNROLL for (int tap = 1; tap < Height * Width; ++tap) {
        value = maximum(value, End::source_vector(corner + tap / Width * row + tap % Width * channel_block, lane));
    }
    return value;
}

/// Pools rows `rows` of one plane of a step's result: the largest value or the mean of each window. `from` is the
/// address of pixel (0, 0) of the source's plane, also where that pixel is not in memory.
template <class End>
TENON_HOT void pool_rows(const Step& step, const End& epilogue, const float* from, Range rows) {
    const Tensor& source = step.source();
    const Window& window = step.window();
    const bool average = step.kind == OpKind::average_pool, pad_counts = window.pad_value == PadValue::zero;
    const bool is_usual = !average && window.kernel_height == 3 && window.kernel_width == 3;  // after stems
    for (int y = rows.begin; y < rows.end; ++y) {
        const int top = y * window.stride_height - window.top;
        const int y_begin = std::max(top, 0), y_end = std::min(top + window.kernel_height, source.height);
        for (int x = 0; x < step.result().width; ++x) {
            const int left = x * window.stride_width - window.left;
            const int x_begin = std::max(left, 0), x_end = std::min(left + window.kernel_width, source.width);
            const int inside = (y_end - y_begin) * (x_end - x_begin);
            if (is_usual && inside == window.taps()) {
                const float* const corner = from + long{top} * source.row() + left * channel_block;
                TENON_UNROLL for (int v = 0; v < vectors_per_block; ++v) {
                    epilogue(y, x, v * vector_width,
                             largest_of_window<3, 3, End>(corner, v * vector_width, source.row()));
                }
                continue;
            }
            const bool from_zero = average || (inside < window.taps() && pad_counts);
            const auto pixel = [&](int row, int column, int v) {
                return End::source_vector(from + long{row} * source.row() + column * channel_block, v * vector_width);
            };
            Vector values[vectors_per_block];
            TENON_UNROLL for (int v = 0; v < vectors_per_block; ++v) {
                values[v] = from_zero ? zero() : pixel(y_begin, x_begin, v);
            }
            for (int row = y_begin; row < y_end; ++row)
                for (int column = x_begin; column < x_end; ++column)
                    TENON_UNROLL for (int v = 0; v < vectors_per_block; ++v) {
                        const Vector value = pixel(row, column, v);
                        values[v] = average ? add(values[v], value) : maximum(values[v], value);
                    }
            if (average) {
                const Vector scale = broadcast(1.0f / static_cast<float>(pad_counts ? window.taps() : inside));
                TENON_UNROLL for (int v = 0; v < vectors_per_block; ++v) values[v] = multiply(values[v], scale);
            }
            TENON_UNROLL for (int v = 0; v < vectors_per_block; ++v) epilogue(y, x, v * vector_width, values[v]);
        }
    }
}

/// Pooling over windows.
template <class End = Epilogue, class AnyStep = Step>
void run_pool(const AnyStep& step, const Frame& frame) {
    const Tensor& source = step.source();
    for_each_plane(step, frame, [&](int image, int plane) {
        const float* from = End::source_plane(source, frame.image(image), plane);
        pool_rows(step, End{step, frame, image, plane}, from, {0, step.result().height});
    });
}

/// Global pooling: the largest value or the mean of each channel, as a flat vector. Pixels are summed in order.
template <class End = Epilogue, class AnyStep = Step>
void run_global_pool(const AnyStep& step, const Frame& frame) {
    const Tensor& source = step.source();
    const bool average = step.kind == OpKind::global_average_pool;
    const Vector scale = broadcast(1.0f / static_cast<float>(source.pixels()));
    for_each_plane(step, frame, [&](int image, int plane) {
        const float* from = End::source_plane(source, frame.image(image), plane);
        const End epilogue{step, frame, image, plane};
        for (int lane = 0; lane < channel_block; lane += vector_width) {
            Vector value = average ? zero() : End::source_vector(from, lane);
            for (int y = 0; y < source.height; ++y)
                for (int x = 0; x < source.width; ++x) {
                    const Vector pixel = End::source_vector(from + long{y} * source.row() + x * channel_block, lane);
                    value = average ? add(value, pixel) : maximum(value, pixel);
                }
            epilogue(0, 0, lane, average ? multiply(value, scale) : value);
        }
    });
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::cpu
