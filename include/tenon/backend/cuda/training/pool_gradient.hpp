#pragma once
// IWYU pragma: private, include <tenon/cuda.hpp>

// The gradients of pooling. Each pixel of the source gathers what its windows send to it, so nothing is added in an
// order that depends on threads.

#include <tenon/backend/cuda/kernels/map.hpp>
#include <tenon/core/index.hpp>

namespace tenon::cuda {
inline namespace TENON_ISA_NAMESPACE {

/// Whether a value replaces the largest one so far, as in torch's maximum: a NaN wins, the last one if there are
/// several; among equal values the first wins.
TENON_DEVICE bool replaces(float value, long place, float largest, long largest_place) {
    if (value != value)                                      // NOLINT(misc-redundant-expression): NaN
        return largest == largest || place > largest_place;  // NOLINT(misc-redundant-expression)
    if (largest != largest) return false;                    // NOLINT(misc-redundant-expression)
    return value > largest || (value == largest && place < largest_place);
}

/// The gradient of pooling for one pixel, `Count` channels at a time. For a maximum, which is searched for again: the
/// complete gradient of each window whose first maximum is the pixel; for an average, its share.
template <class NumberType, int Count>
struct PoolGradientBody {
    static constexpr const char* name = "pool_gradient";
    long count = 0;                      ///< of packs
    const NumberType* source = nullptr;  ///< read by a maximum only
    const NumberType* gradient = nullptr;
    const NumberType* sum = nullptr;
    NumberType* target = nullptr;
    int channels = 0, height = 0, width = 0;  ///< of the source
    int result_height = 1, result_width = 1;
    int kernel_height = 1, kernel_width = 1, stride_height = 1, stride_width = 1, top = 0, left = 0;
    bool average = false;
    bool pad_counts = false;  ///< whether padding takes part, as zeros

    TENON_DEVICE void operator()(long index) const {
        const int packs = channels / Count, channel = static_cast<int>(index % packs) * Count;
        const long pixel = index / packs, map = long{height} * width, image = pixel / map;
        const int inside = static_cast<int>(pixel % map), y = inside / width, x = inside % width;
        float result[Count]{};
        if (sum) load_floats(sum + index * Count, result);
        const int first_row = first_window(y + top, kernel_height, stride_height);
        const int first_column = first_window(x + left, kernel_width, stride_width);
        const int last_row = last_window(y + top, stride_height, result_height);
        const int last_column = last_window(x + left, stride_width, result_width);
        for (int row = first_row; row <= last_row; ++row)
            for (int column = first_column; column <= last_column; ++column) {
                float sent[Count];
                load_floats(gradient + ((image * result_height + row) * result_width + column) * channels + channel,
                            sent);
                if (average)
                    add_share(row, column, sent, result);
                else
                    add_if_maximum(image, row, column, channel, y * width + x, sent, result);
            }
        store_floats(result, target + index * Count);
    }

private:
    TENON_DEVICE static int first_window(int position, int kernel, int stride) {
        const int first = position - kernel + stride;  // rounds up
        return first > 0 ? first / stride : 0;
    }
    TENON_DEVICE static int last_window(int position, int stride, int windows) {
        const int last = position / stride;
        return last < windows ? last : windows - 1;
    }

    TENON_DEVICE void add_share(int row, int column, const float (&sent)[Count], float (&result)[Count]) const {
        int counted = kernel_height * kernel_width;
        if (!pad_counts) {
            const int y = row * stride_height - top, x = column * stride_width - left;
            const int rows = (y + kernel_height < height ? y + kernel_height : height) - (y > 0 ? y : 0);
            const int columns = (x + kernel_width < width ? x + kernel_width : width) - (x > 0 ? x : 0);
            counted = rows * columns;
        }
        TENON_CUDA_UNROLL
        for (int i = 0; i < Count; ++i) result[i] += sent[i] / static_cast<float>(counted);
    }

    TENON_DEVICE void add_if_maximum(long image, int row, int column, int channel, int own, const float (&sent)[Count],
                                     float (&result)[Count]) const {
        constexpr int nowhere = -1;  // padding, or nothing yet
        float largest[Count];
        int place[Count];
        bool begun = false;
        TENON_CUDA_UNROLL
        for (int i = 0; i < Count; ++i) {
            largest[i] = 0;
            place[i] = nowhere;
        }
        for (int ky = 0; ky < kernel_height; ++ky)
            for (int kx = 0; kx < kernel_width; ++kx) {
                const int y = row * stride_height - top + ky, x = column * stride_width - left + kx;
                const bool valid = y >= 0 && y < height && x >= 0 && x < width;
                if (!valid && !pad_counts) continue;
                float values[Count]{};
                if (valid) load_floats(source + ((image * height + y) * width + x) * channels + channel, values);
                TENON_CUDA_UNROLL
                for (int i = 0; i < Count; ++i)
                    // In row-major order, a later value wins only if it is larger, or NaN.
                    if (!begun || values[i] > largest[i] ||
                        values[i] != values[i]) {  // NOLINT(misc-redundant-expression): NaN
                        largest[i] = values[i];
                        place[i] = valid ? y * width + x : nowhere;
                    }
                begun = true;
            }
        TENON_CUDA_UNROLL
        for (int i = 0; i < Count; ++i)
            if (place[i] == own) result[i] += sent[i];
    }
};

/// The scalars of a global maximum's gradient.
struct GlobalMaxGradientArguments {
    const void* source = nullptr;
    const void* gradient = nullptr;
    const void* sum = nullptr;
    void* target = nullptr;
    int channels = 0, pixels = 1;  ///< of an image
};

/// The gradient of a global maximum: a block finds the maxima of 32 channels of an image; 8 threads divide a channel.
template <class NumberType>
struct GlobalMaxGradientKernel {
    static constexpr const char* name = "global_max_gradient";
    static constexpr int threads = 256, channels = 32, rows = threads / channels;
    using Arguments = GlobalMaxGradientArguments;
    using Registers = Nothing;
    struct Shared {
        float largest[rows][channels];
        int place[rows][channels];
    };

    template <class Block>
    TENON_DEVICE static void run(Block& block, const Arguments& arguments) {
        const Grid index = block.index();
        Shared& shared = block.shared();
        const int all = arguments.channels;
        const long image = long{index.y} * arguments.pixels * all;
        block.threads([&](int thread, Registers&) {
            const int channel = index.x * channels + thread % channels, row = thread / channels;
            float largest = 0;
            int place = -1;
            if (channel < all)
                for (int pixel = row; pixel < arguments.pixels; pixel += rows) {
                    const float value =
                        to_float(static_cast<const NumberType*>(arguments.source)[image + long{pixel} * all + channel]);
                    if (place < 0 || replaces(value, pixel, largest, place)) {
                        largest = value;
                        place = pixel;
                    }
                }
            shared.largest[row][thread % channels] = largest;
            shared.place[row][thread % channels] = place;
        });
        block.threads([&](int thread, Registers&) {
            if (thread >= channels) return;
            for (int row = 1; row < rows; ++row) {
                const float value = shared.largest[row][thread];
                const int place = shared.place[row][thread];
                if (place >= 0 && replaces(value, place, shared.largest[0][thread], shared.place[0][thread])) {
                    shared.largest[0][thread] = value;
                    shared.place[0][thread] = place;
                }
            }
        });
        block.threads([&](int thread, Registers&) {
            const int channel = index.x * channels + thread % channels;
            if (channel >= all) return;
            const float gradient =
                to_float(static_cast<const NumberType*>(arguments.gradient)[long{index.y} * all + channel]);
            for (int pixel = thread / channels; pixel < arguments.pixels; pixel += rows) {
                const long at = image + long{pixel} * all + channel;
                float value = pixel == shared.place[0][thread % channels] ? gradient : 0.0f;
                if (arguments.sum) value += to_float(static_cast<const NumberType*>(arguments.sum)[at]);
                static_cast<NumberType*>(arguments.target)[at] = from_float<NumberType>(value);
            }
        });
    }

    static Grid grid(const Arguments& arguments, int images) {
        return {static_cast<int>(blocks_of(arguments.channels, channels)), images, 1};
    }
};

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::cuda
